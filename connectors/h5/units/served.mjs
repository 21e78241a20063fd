// Lets node find modules where browsers do: /h5/ and /client/ stand side by side when they are served.

import { register } from "node:module";

const CLIENT = new URL("../../../hub/api/static/client/", import.meta.url).href;
const HOOKS = `
export function resolve(specifier, context, next) {
  return next(specifier.replace(/^\\.\\.\\/client\\//, ${JSON.stringify(CLIENT)}), context);
}`;

register(`data:text/javascript,${encodeURIComponent(HOOKS)}`);
