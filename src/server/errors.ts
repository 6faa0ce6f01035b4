/** Errors as OpenAI's API words them. */

/** What a client did wrong, or what the server cannot do now. */
export class ApiError extends Error {
  constructor(
    readonly status: number,
    message: string,
    readonly details: {
      readonly type?: string;
      readonly param?: string | null;
      readonly code?: string | null;
      /** Seconds after which it may be tried again. */
      readonly retryAfter?: number;
    } = {},
  ) {
    super(message);
    this.name = "ApiError";
  }

  /** The answer's body. */
  body(): string {
    const {
      type = this.status >= 500 ? "server_error" : "invalid_request_error",
      param = null,
      code = null,
    } = this.details;
    return JSON.stringify({ error: { message: this.message, type, param, code } });
  }
}
