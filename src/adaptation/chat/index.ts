/** Chats: messages, templates, and tokens with the assistant's words marked. */
export { assistantTokens, chatExample } from "./examples.ts";
export { type ChatMessage, conversations } from "./messages.ts";
export { ChatTemplate, plainTemplate, type RenderedChat } from "./template.ts";
