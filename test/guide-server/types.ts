/** A parsed JSON object, as a request body carries it. */
export type JsonObject = Readonly<Record<string, unknown>>;

/** A stored item; the create example of section "Voice Agents" reads `data.id`. */
export type Item = JsonObject & { readonly id: string };

/** One file part of a multipart upload. */
export interface UploadedFile {
  readonly field: string;
  readonly fileName: string;
  readonly contentType: string;
  readonly bytes: Buffer;
}

/** What a handler gets to see of one request. */
export interface RequestContext {
  /** The `{id}` of the path, or an empty string when the row has none. */
  readonly id: string;
  readonly query: Readonly<Record<string, string>>;
  readonly body: JsonObject | undefined;
  readonly files: readonly UploadedFile[];
}

/** What a handler answers; the server turns it into HTTP. */
export type Answer =
  | { readonly kind: 'json'; readonly data: unknown }
  | { readonly kind: 'audio'; readonly bytes: Buffer }
  | { readonly kind: 'audioStream'; readonly chunks: Iterable<Buffer> };

/** One row of a table of section "Core API Endpoints". */
export interface Route {
  readonly method: string;
  readonly path: string;
  /** Whether the row also takes multipart/form-data (a decision, see multipart.ts). */
  readonly acceptsMultipart?: boolean;
  readonly handle: (context: RequestContext) => Answer;
}

/** One recorded request, WebSocket handshake (GET) or WebSocket message (WS). */
export interface RecordedRequest {
  readonly method: string;
  readonly path: string;
  readonly query: Readonly<Record<string, string>>;
  readonly headers: Readonly<Record<string, string>>;
  /** Parsed JSON, multipart summary, plain text, or undefined when there was no body. */
  readonly body: unknown;
}
