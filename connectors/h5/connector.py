"""H5: a visitor's web page. It speaks the hub's own protocol, so there is nothing to deliver and little to parse."""

from typing import Annotated

import msgspec
import pydantic

from connectors.h5 import codec
from hub.contract import Answer, Capabilities, Connector, Parsed, Raw, Route
from hub.domain.messages import Profile

Line = Annotated[str, pydantic.StringConstraints(strip_whitespace=True, max_length=200)]
Origin = Annotated[str, pydantic.AfterValidator(codec.clean_origin)]


class Texts(pydantic.BaseModel):
    """One text in the widget's two languages; empty: the widget's own."""

    model_config = pydantic.ConfigDict(extra="forbid", frozen=True)
    zh: Line = ""
    en: Line = ""


class H5Settings(pydantic.BaseModel):
    """`channels.h5` in config/hub.yaml. `origins` are the sites whose pages may embed the widget."""

    model_config = pydantic.ConfigDict(extra="forbid", frozen=True)
    origins: tuple[Origin, ...] = ("*",)
    title: Texts = Texts()
    greeting: Texts = Texts()
    colour: Annotated[str, pydantic.StringConstraints(pattern=r"^(#[0-9a-fA-F]{6})?$")] = ""


class H5(Connector):
    """The channel of the widget in static/."""

    Settings = H5Settings
    can = Capabilities(role="visitor", socket=True, typing=True)
    routes = (Route("looks", ("GET",)),)
    static = "static"
    settings: H5Settings

    def verify(self, raw: Raw) -> None:
        """Anybody may ask how the widget looks."""

    def parse(self, raw: Raw) -> Parsed:
        """The only route is asked by the widget itself: its title, greeting and colour, as JSON."""
        looks = self.settings.model_dump(include={"title", "greeting", "colour"})
        return Parsed(Answer(body=msgspec.json.encode(looks).decode(), content_type="application/json"))

    def profile(self, body: bytes, user_agent: str) -> Profile:
        """Who asks for a visitor's token; raises ValueError with a sentence for whoever wrote the page."""
        return codec.read_profile(body, user_agent)

    def allows(self, origin: str, own: str) -> bool:
        """Whether a page of that Origin may mint tokens and open sockets at the hub whose own origin is `own`."""
        return codec.allows(self.settings.origins, origin, own)


CONNECTOR = H5
