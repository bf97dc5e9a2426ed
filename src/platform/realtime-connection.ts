import type { IncomingMessage } from 'node:http';
import type { Socket } from 'node:net';
import { type RawData, WebSocket } from 'ws';
import type { Clock, Timer } from '../core/clock.ts';
import { GatewayError } from '../core/errors.ts';
import { sendMaskedText } from './masked-text.ts';
import { errorFromClose, errorFromProse, PlatformError } from './platform-errors.ts';
import type { KeyCarrier, RealtimeAuth } from './realtime-auth.ts';
import { readRealtimeMessage } from './realtime-frame.ts';
import { errorFromRefusedUpgrade, errorFromSocket } from './socket-errors.ts';
import { SocketSpeech } from './socket-speech.ts';

const MAX_MESSAGE_BYTES = 1_048_576;
/** Connecting costs 0.8-1.5 s on the live service. */
const HANDSHAKE_TIMEOUT_MS = 10_000;
/** How long an unproven connection waits for the platform's first word, which may be that the key is refused. */
const FIRST_WORD_MS = 250;
/** The platform pings every 30 s; one that does not is pinged instead. */
const PING_AFTER_MS = 35_000;
const DEAD_AFTER_MS = 75_000;
const LIVENESS_CHECK_MS = 5_000;
/** The platform closes after 60 minutes idle, with the code that also stands for an empty transcript. */
const MAX_IDLE_MS = 55 * 60_000;
const CLOSE_GRACE_MS = 2_000;

/** Totals over all connections that share it. */
export class RealtimeCounters {
  /** Handshakes that were begun: each may cost a slot of the quota. */
  attempts = 0;
  /** Transcripts that belonged to no request, and were dropped. */
  strayTranscripts = 0;
  /** Messages that are neither transcripts nor of a known use here, such as audio. */
  ignoredMessages = 0;
  /** `[THINKING]` and its like. */
  markers = 0;
  /** Connections given up because nothing was heard of the peer. */
  deadPeers = 0;
}

export interface RealtimeConnectionOptions {
  /** `wss://…/v1/realtime/ws`, without the key. */
  readonly url: string;
  readonly auth: RealtimeAuth;
  readonly clock: Clock;
  readonly counters: RealtimeCounters;
  /** Told once when an opened connection is gone; without an error when it was closed in good order. */
  readonly onClosed?: (error: GatewayError | undefined) => void;
  /** Told of the headers with which the platform accepted the connection: they may say what is left of the quota. */
  readonly onHeaders?: (headers: IncomingMessage['headers']) => void;
  /** Longest message that is taken. Default 1 MiB, far above any transcript. */
  readonly maxMessageBytes?: number;
}

/** What waits for the answer to the one request that is in flight. */
interface Request {
  /** Takes a transcript. Undefined: it asked for none. */
  readonly resolve: ((text: string) => void) | undefined;
  readonly reject: (error: GatewayError) => void;
  readonly timer: Timer | undefined;
  /** Takes audio, where that was asked for. */
  readonly speech: SocketSpeech | undefined;
}

/**
 * One WebSocket of the platform that carries one utterance or one text at a time.
 *
 * Nothing in the protocol joins an answer to its request but that there is only one. Whatever puts that in doubt (a
 * timeout, an answer nobody asked for) ends the connection: a transcript must never reach another call.
 */
export class RealtimeConnection {
  readonly #clock: Clock;
  readonly #auth: RealtimeAuth;
  readonly #carrier: KeyCarrier;
  readonly #counters: RealtimeCounters;
  readonly #onClosed: ((error: GatewayError | undefined) => void) | undefined;
  readonly #socket: WebSocket;
  /** Below the WebSocket; there from the handshake on. */
  #stream: Socket | undefined;
  readonly #opening: Promise<void>;
  #settleOpening: { readonly resolve: () => void; readonly reject: (error: GatewayError) => void } | undefined;
  #openingTimer: Timer;
  #livenessTimer: Timer | undefined;
  #request: Request | undefined;
  /** Why the connection ends, when that is known before the socket tells. */
  #failure: GatewayError | undefined;
  #requests = 0;
  #hasSpoken = false;
  #lastHeardMs = 0;
  #lastUsedMs = 0;

  private constructor(options: RealtimeConnectionOptions, carrier: KeyCarrier) {
    this.#clock = options.clock;
    this.#auth = options.auth;
    this.#carrier = carrier;
    this.#counters = options.counters;
    this.#onClosed = options.onClosed;
    this.#counters.attempts++;
    const target = new URL(options.url);
    if (carrier === 'query') target.searchParams.set('api_key', this.#auth.apiKey);
    this.#socket = new WebSocket(target, {
      headers: carrier === 'header' ? { 'X-Api-Key': this.#auth.apiKey } : {},
      perMessageDeflate: false,
      maxPayload: options.maxMessageBytes ?? MAX_MESSAGE_BYTES,
    });
    this.#opening = new Promise((resolve, reject) => {
      this.#settleOpening = { resolve, reject };
    });
    this.#openingTimer = this.#clock.after(HANDSHAKE_TIMEOUT_MS, () =>
      this.#fail(new PlatformError('ERR_PLATFORM_TIMEOUT', 'the platform did not answer the WebSocket handshake')),
    );
    this.#socket
      .on('upgrade', (response) => {
        this.#stream = response.socket;
        options.onHeaders?.(response.headers);
      })
      .on('open', () => this.#onOpen())
      .on('message', (data, isBinary) => this.#onMessage(data, isBinary))
      .on('ping', () => this.#heard())
      .on('pong', () => this.#heard())
      .on(
        'unexpected-response',
        (_request, response) =>
          void errorFromRefusedUpgrade(response, this.#clock.wallMs()).then((error) => this.#fail(error)),
      )
      .on('error', (error) => this.#fail(errorFromSocket('the connection to the platform', error)))
      .on('close', (code, reason) => this.#onSocketClosed(code, reason.toString()));
  }

  /**
   * Connects, with the key in the header or, where that is refused and nothing ever worked, in the query.
   *
   * @throws GatewayError `ERR_PLATFORM_*` - the handshake failed, was refused or took longer than 10 s.
   */
  static async open(options: RealtimeConnectionOptions): Promise<RealtimeConnection> {
    const { auth } = options;
    const carrier = auth.carrier;
    const connection = new RealtimeConnection(options, carrier);
    try {
      await connection.#opening;
      return connection;
    } catch (error) {
      if ((error as GatewayError).code !== 'ERR_PLATFORM_AUTH' || !auth.refused(carrier)) throw error;
    }
    const second = new RealtimeConnection(options, 'query');
    try {
      await second.#opening;
      return second;
    } catch (error) {
      if ((error as GatewayError).code === 'ERR_PLATFORM_AUTH') auth.refused('query');
      throw error;
    }
  }

  /** Whether a request can be made now. False for good once closed, or idle for so long that the platform may close. */
  get usable(): boolean {
    return (
      this.#socket.readyState === WebSocket.OPEN &&
      this.#failure === undefined &&
      this.#request === undefined &&
      this.#clock.nowMs() - this.#lastUsedMs < MAX_IDLE_MS
    );
  }

  /**
   * Sends one `stt` request and waits for its transcript, which may be empty. `frame` is the whole text message, and the
   * caller's again when this returns.
   *
   * @throws GatewayError `ERR_PLATFORM_TIMEOUT` - no transcript within `timeoutMs`; the connection is closed.
   * @throws GatewayError `ERR_PLATFORM_UNAVAILABLE` - the connection closed before the transcript came.
   * @throws GatewayError `ERR_PLATFORM_*` - the platform refused; the connection may still be usable.
   */
  transcribe(frame: Buffer, options: { readonly timeoutMs?: number } = {}): Promise<string> {
    if (!this.usable) {
      return Promise.reject(new PlatformError('ERR_PLATFORM_UNAVAILABLE', 'the connection is closed or busy'));
    }
    return new Promise((resolve, reject) => {
      const { timeoutMs = 30_000 } = options;
      const timer = this.#clock.after(timeoutMs, () =>
        this.#fail(new PlatformError('ERR_PLATFORM_TIMEOUT', `no transcript came within ${timeoutMs} ms`)),
      );
      this.#send(frame, { resolve, reject, timer, speech: undefined });
    });
  }

  /**
   * Sends one `tts` request. `frame` is the whole text message. The audio comes until the platform says that it ends;
   * whoever leaves before has to see to it that the rest passes, or to close the connection.
   *
   * @throws GatewayError `ERR_PLATFORM_UNAVAILABLE` - the connection is closed or busy.
   */
  speak(frame: string): SocketSpeech {
    if (!this.usable) throw new PlatformError('ERR_PLATFORM_UNAVAILABLE', 'the connection is closed or busy');
    const speech = new SocketSpeech({ pause: () => this.#socket.pause(), resume: () => this.#resume() });
    this.#hasSpoken = true;
    this.#send(frame, { resolve: undefined, reject: (error) => speech.finish(error), timer: undefined, speech });
    return speech;
  }

  /** Closes in good order, or at once when the peer does not take part. A request in flight is given up. */
  close(): void {
    if (this.#socket.readyState === WebSocket.CLOSED) return;
    this.#failure ??= new GatewayError('ERR_ABORTED', 'the connection was closed by the gateway');
    this.#takeRequest()?.reject(this.#failure);
    this.#socket.close(1000);
    const grace = this.#clock.after(CLOSE_GRACE_MS, () => this.#socket.terminate());
    this.#socket.once('close', () => grace.cancel());
  }

  #send(frame: Buffer | string, request: Request): void {
    this.#request = request;
    this.#requests++;
    this.#lastUsedMs = this.#clock.nowMs();
    if (typeof frame === 'string') this.#socket.send(frame);
    else if (this.#stream) sendMaskedText(this.#stream, frame);
  }

  /** Nothing was heard while nothing was read. */
  #resume(): void {
    this.#heard();
    this.#socket.resume();
  }

  #heard(): void {
    this.#lastHeardMs = this.#clock.nowMs();
  }

  #onOpen(): void {
    this.#heard();
    this.#lastUsedMs = this.#clock.nowMs();
    this.#livenessTimer = this.#clock.every(LIVENESS_CHECK_MS, () => this.#checkLiveness());
    this.#openingTimer.cancel();
    if (this.#auth.proven) this.#opened();
    else this.#openingTimer = this.#clock.after(FIRST_WORD_MS, () => this.#opened());
  }

  #opened(): void {
    this.#openingTimer.cancel();
    this.#settleOpening?.resolve();
    this.#settleOpening = undefined;
  }

  #onMessage(data: RawData, isBinary: boolean): void {
    this.#heard();
    // Messages are whole Buffers unless `binaryType` says otherwise, which it does not.
    const message = isBinary ? undefined : readRealtimeMessage((data as Buffer).toString());
    if (message?.kind === 'error') {
      this.#onErrorFrame(errorFromProse(message.prose));
      return;
    }
    if (!message) this.#onAudio(data as Buffer);
    else if (message.kind === 'transcript') this.#onTranscript(message.text);
    else if (message.kind === 'marker') this.#counters.markers++;
    else this.#onFrame(message.type);
    this.#opened();
  }

  #onAudio(bytes: Buffer): void {
    const speech = this.#request?.speech;
    if (speech) {
      speech.push(bytes);
      return;
    }
    this.#counters.ignoredMessages++;
    // What follows the end of one reply would be heard in the next.
    if (this.#hasSpoken) this.#fail(new PlatformError('ERR_PLATFORM_PROTOCOL', 'audio belongs to no request'));
  }

  #onFrame(type: string): void {
    const speech = this.#request?.speech;
    if (speech && type === 'end') {
      this.#takeRequest();
      this.#auth.accepted(this.#carrier);
      speech.finish();
    } else if (type !== 'info' && !(speech && type === 'ack')) this.#counters.ignoredMessages++;
  }

  #onTranscript(text: string): void {
    const resolve = this.#request?.resolve;
    if (resolve) {
      this.#takeRequest();
      this.#auth.accepted(this.#carrier);
      resolve(text);
      return;
    }
    this.#counters.strayTranscripts++;
    // A greeting does no harm; a second answer to one request shifts all that follow.
    if (this.#requests > 0) this.#fail(new PlatformError('ERR_PLATFORM_PROTOCOL', 'an answer belongs to no request'));
  }

  #onErrorFrame(error: PlatformError): void {
    if (this.#request !== undefined && error.code !== 'ERR_PLATFORM_AUTH') this.#takeRequest()?.reject(error);
    // Without a request there is no telling what was refused: the key, this connection, or an answer that comes late.
    else this.#fail(error);
  }

  #onSocketClosed(closeCode: number, reason: string): void {
    this.#openingTimer.cancel();
    this.#livenessTimer?.cancel();
    const orderly = closeCode === 1000 && this.#failure === undefined;
    const wasOpen = this.#settleOpening === undefined;
    const failure = this.#failure ?? this.#judgeRefusal(errorFromClose(closeCode, reason), wasOpen);
    this.#failure = failure;
    this.#settleOpening?.reject(failure);
    this.#settleOpening = undefined;
    const request = this.#takeRequest();
    // Some utterances without words are answered with a close instead of an empty text.
    if (orderly && request?.resolve) request.resolve('');
    else request?.reject(failure);
    if (wasOpen) this.#onClosed?.(orderly || failure.code === 'ERR_ABORTED' ? undefined : failure);
  }

  #takeRequest(): Request | undefined {
    const request = this.#request;
    this.#request = undefined;
    request?.timer?.cancel();
    if (request) this.#lastUsedMs = this.#clock.nowMs();
    return request;
  }

  /** Ends the connection for `error` at once. */
  #fail(error: GatewayError): void {
    this.#failure ??= this.#judgeRefusal(error, this.#settleOpening === undefined);
    this.#takeRequest()?.reject(this.#failure);
    this.#socket.terminate();
  }

  /** A key that is refused only after the opening may still be accepted in the query: not the account's fault yet. */
  #judgeRefusal(error: GatewayError, wasOpen: boolean): GatewayError {
    if (!wasOpen || error.code !== 'ERR_PLATFORM_AUTH' || !this.#auth.refused(this.#carrier)) return error;
    return new PlatformError('ERR_PLATFORM_UNAVAILABLE', 'the key was refused in the header; the query is tried next');
  }

  #checkLiveness(): void {
    if (this.#socket.isPaused) return;
    const silentMs = this.#clock.nowMs() - this.#lastHeardMs;
    if (silentMs > DEAD_AFTER_MS) {
      this.#counters.deadPeers++;
      this.#fail(new PlatformError('ERR_PLATFORM_UNAVAILABLE', 'nothing was heard of the platform for 75 s'));
    } else if (silentMs > PING_AFTER_MS) {
      this.#socket.ping();
    }
  }
}
