import { WebSocket } from 'ws';
import type { Clock, Timer } from '../../core/clock.ts';
import { toError } from '../../core/errors.ts';
import { registerSecret } from '../../core/secrets.ts';
import { errorFromClose, type PlatformError, platformError } from '../platform-errors.ts';
import { errorFromRefusedUpgrade, errorFromSocket } from '../socket-errors.ts';
import { AgentAudioDecoder } from './agent-audio.ts';
import { type AgentFrame, readAgentFrame } from './agent-frame.ts';
import type { AgentLink, AgentLinkHandlers, OpenAgentLink, ToolResult } from './agent-link.ts';
import { MediaFrameWriter } from './media-frame.ts';

export interface WebSocketLinkOptions {
  /** `wss://bots.tryhamsa.com/stream`: the job id and the key are added. */
  readonly url: string;
  readonly apiKey: string;
  readonly clock: Clock;
}

/** More than three minutes of audio in one message. */
const MAX_MESSAGE_BYTES = 8 * 1_048_576;
const HANDSHAKE_TIMEOUT_MS = 10_000;
const PING_EVERY_MS = 4_000;
/** A caller hears nothing meanwhile, so a dead peer is given up soon. */
const DEAD_AFTER_MS = 10_000;
const CLOSE_GRACE_MS = 2_000;
/** `ws` sends strings as text by itself; the media messages are Buffers. */
const AS_TEXT = { binary: false };
/** The vendor's SDK knows no other name. */
const STREAM = 'WEBSDK';

/** Opens links over the WebSocket of the vendor's SDK 0.3. */
export function webSocketLinks(options: WebSocketLinkOptions): OpenAgentLink {
  registerSecret(options.apiKey);
  return (jobId, handlers, signal) => WebSocketLink.open(jobId, options, handlers, signal);
}

/** The SDK's protocol: JSON text messages, audio in base64. The key is in the URL, which appears nowhere else. */
class WebSocketLink implements AgentLink {
  bytesSent = 0;
  bytesReceived = 0;
  readonly #socket: WebSocket;
  readonly #clock: Clock;
  readonly #handlers: AgentLinkHandlers;
  readonly #decoder = new AgentAudioDecoder();
  readonly #media = new MediaFrameWriter((frame) => this.#write(frame));
  #liveness: Timer | undefined;
  #lastHeardMs = 0;
  #pingedAtMs: number | undefined;
  /** Why the connection ends, where that is known before the socket tells. */
  #failure: PlatformError | undefined;
  #isOver = false;

  private constructor(socket: WebSocket, clock: Clock, handlers: AgentLinkHandlers) {
    this.#socket = socket;
    this.#clock = clock;
    this.#handlers = handlers;
  }

  static open(
    jobId: string,
    { url, apiKey, clock }: WebSocketLinkOptions,
    handlers: AgentLinkHandlers,
    signal: AbortSignal,
  ): Promise<WebSocketLink> {
    return new Promise((resolve, reject) => {
      if (signal.aborted) throw signal.reason;
      const target = new URL(`${url.replace(/\/+$/, '')}/${encodeURIComponent(jobId)}`);
      target.searchParams.set('api_key', apiKey);
      const socket = new WebSocket(target, { perMessageDeflate: false, maxPayload: MAX_MESSAGE_BYTES });
      const link = new WebSocketLink(socket, clock, handlers);
      let isOpening = true;
      const settle = (error?: unknown): void => {
        if (!isOpening) return;
        isOpening = false;
        timer.cancel();
        signal.removeEventListener('abort', onAbort);
        if (error === undefined) {
          resolve(link);
          return;
        }
        link.#isOver = true;
        socket.terminate();
        reject(error as Error);
      };
      const onAbort = (): void => settle(signal.reason);
      const timer = clock.after(HANDSHAKE_TIMEOUT_MS, () =>
        settle(platformError('ERR_PLATFORM_TIMEOUT', 'the agent did not answer the WebSocket handshake')),
      );
      signal.addEventListener('abort', onAbort, { once: true });
      socket
        .on(
          'unexpected-response',
          (_request, response) => void errorFromRefusedUpgrade(response, clock.wallMs()).then(settle),
        )
        .on('error', (error) => {
          link.#failure ??= errorFromSocket('the connection to the agent', error);
          settle(link.#failure);
        })
        .on('open', () => {
          link.#begin();
          settle();
        })
        .on('close', (code, reason) => link.#onClosed(code, reason.toString()))
        // Messages are whole Buffers unless `binaryType` says otherwise, which it does not.
        .on('message', (data, isBinary) => link.#onMessage(data as Buffer, isBinary))
        .on('ping', () => link.#heard())
        .on('pong', () => link.#onPong());
    });
  }

  get bufferedBytes(): number {
    return this.#socket.bufferedAmount;
  }

  sendAudio(pcm: Int16Array): void {
    this.#media.write(pcm);
  }

  sendMark(name: string): void {
    this.#write(JSON.stringify({ event: 'mark', streamSid: STREAM, mark: { name } }));
  }

  sendToolResults(results: readonly ToolResult[]): void {
    this.#write(JSON.stringify({ event: 'tools_response', tools_response: results, streamSid: STREAM }));
  }

  /**
   * The vendor's SDK 0.3 has no message for digits. This is the one of Twilio's media streams, whose protocol the
   * agents' is but for the format of the audio; an agent that does not know it ignores it.
   */
  sendDtmf(digit: string): void {
    this.#write(JSON.stringify({ event: 'dtmf', streamSid: STREAM, dtmf: { digit } }));
  }

  end(): void {
    if (this.#isOver) return;
    this.#write('{"event":"stop"}');
    this.#stop();
    this.#socket.close(1000, 'Normal Closure');
    const grace = this.#clock.after(CLOSE_GRACE_MS, () => this.#socket.terminate());
    this.#socket.once('close', () => grace.cancel());
  }

  drop(): void {
    this.#stop();
    this.#socket.terminate();
  }

  #begin(): void {
    this.#write(JSON.stringify({ event: 'start', streamSid: STREAM }));
    this.#lastHeardMs = this.#clock.nowMs();
    this.#ping();
    this.#liveness = this.#clock.every(PING_EVERY_MS, () => this.#checkLiveness());
  }

  #write(message: string | Buffer): void {
    if (this.#socket.readyState !== WebSocket.OPEN) return;
    this.bytesSent += message.length;
    this.#socket.send(message, AS_TEXT);
  }

  #heard(): void {
    this.#lastHeardMs = this.#clock.nowMs();
  }

  #ping(): void {
    this.#pingedAtMs ??= this.#clock.nowMs();
    this.#socket.ping();
  }

  #onPong(): void {
    this.#heard();
    const pingedAtMs = this.#pingedAtMs;
    this.#pingedAtMs = undefined;
    if (pingedAtMs !== undefined && !this.#isOver) this.#handlers.onRoundTrip(this.#clock.nowMs() - pingedAtMs);
  }

  #checkLiveness(): void {
    if (this.#clock.nowMs() - this.#lastHeardMs < DEAD_AFTER_MS) {
      this.#ping();
      return;
    }
    this.#failure ??= platformError(
      'ERR_PLATFORM_UNAVAILABLE',
      `nothing was heard of the agent for ${DEAD_AFTER_MS} ms`,
    );
    this.#socket.terminate();
  }

  #onMessage(data: Buffer, isBinary: boolean): void {
    this.#heard();
    this.bytesReceived += data.length;
    if (this.#isOver) return;
    let frame: AgentFrame;
    let pcm: Int16Array | undefined;
    try {
      if (isBinary) throw new TypeError('it is binary');
      frame = readAgentFrame(data.toString());
      if (frame.event === 'media') pcm = this.#decoder.decode(frame.payload);
    } catch (thrown) {
      const found = `a message of the agent can not be understood: ${toError(thrown).message}`;
      this.#handlers.onBadFrame(platformError('ERR_PLATFORM_PROTOCOL', found));
      return;
    }
    if (pcm) this.#handlers.onAudio(pcm);
    else if (frame.event !== 'media') this.#dispatch(frame);
  }

  #dispatch(frame: Exclude<AgentFrame, { event: 'media' }>): void {
    const handlers = this.#handlers;
    switch (frame.event) {
      case 'clear':
        handlers.onClear();
        break;
      case 'mark':
        handlers.onMark(frame.name);
        break;
      case 'transcription':
        handlers.onTranscription(frame.text);
        break;
      case 'answer':
        handlers.onAnswer(frame.text);
        break;
      case 'info':
        handlers.onInfo(frame.message);
        break;
      case 'tools':
        handlers.onTools(frame.calls);
        break;
      case 'custom':
        handlers.onCustom(frame.type, frame.message);
    }
  }

  #onClosed(code: number, reason: string): void {
    const wasOver = this.#isOver;
    this.#stop();
    if (wasOver) return;
    // 1005 is a close frame without a code.
    const isGoodbye = (code === 1000 || code === 1005) && this.#failure === undefined;
    this.#handlers.onClosed(isGoodbye ? undefined : (this.#failure ?? errorFromClose(code, reason)));
  }

  #stop(): void {
    this.#isOver = true;
    this.#liveness?.cancel();
  }
}
