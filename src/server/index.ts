/** A model over HTTP, as OpenAI's API has it. */
export { ApiError } from "./errors.ts";
export { type RunningServer, type ServerSettings, startServer } from "./http.ts";
export { ModelClient } from "./model-client.ts";
