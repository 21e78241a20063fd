"""What an entity can be asked to do. Imperative: a command may be refused; an event (events/) has happened."""

from hub.domain.commands.agent import *
from hub.domain.commands.base import *
from hub.domain.commands.conversation import *
from hub.domain.commands.delivery import *
from hub.domain.commands.intake import *
from hub.domain.commands.queue import *

AnyCommand = Tick | ConversationCommand | QueueCommand | AgentCommand | DeliveryCommand | IntakeCommand
