import type { WebSocket } from 'ws';
import type { Timer } from '../../core/clock.ts';
import { toError } from '../../core/errors.ts';
import type { PlatformContext } from '../context.ts';
import type { PlatformLog } from '../platform-log.ts';
import { ENGINE_SAMPLE_RATE } from '../engines/engine.ts';
import type { Fault } from '../faults.ts';
import { hear } from '../speech.ts';
import type { Conversations } from '../state/conversations.ts';
import type { LiveAudio } from '../state/live-audio.ts';
import type { Conversation, Params } from '../state/records.ts';
import { wait } from '../wait.ts';
import {
  type ClientFrame,
  clearFrame,
  readClientFrame,
  readMedia,
  textFrame,
  type ToolResponse,
  toolsFrame,
} from './agent-frames.ts';
import { AgentVoice } from './agent-voice.ts';
import { CallerEar } from './caller-ear.ts';
import type { ClientTool } from './conversation-request.ts';
import { Link } from './link.ts';
import { chooseReply, sayResponse } from './reply.ts';

export type AgentLog = Pick<PlatformLog, 'debug' | 'info' | 'warn'>;

const HOUSEKEEPING_MS = 500;
/** Utterances that wait for the agent; a client that sends audio faster than it is spoken loses more than these. */
const MAX_WAITING = 4;
/** A client that sends nothing for so long in the middle of an utterance has ended it. */
const AUDIO_GAP_MS = 1000;
/** How long a client may be away without the conversation ending. */
const AWAY_MS = 15_000;
const MAX_CONVERSATION_MS = 60 * 60_000;
const TOOL_TIMEOUT_MS = 10_000;
const CLOSE_NORMAL = 1000;
/** RFC 6455, section 7.4.1: the close frame held none. */
const CLOSED_WITHOUT_CODE = 1005;

/** The agent's side of one conversation, over as many connections as it takes. */
export class AgentSession {
  readonly #context: PlatformContext;
  readonly #id: string;
  readonly #greeting: string;
  readonly #tools: readonly ClientTool[];
  readonly #params: Params;
  readonly #conversations: Conversations;
  readonly #audio: LiveAudio | undefined;
  readonly #log: AgentLog;
  readonly #link: Link;
  readonly #voice: AgentVoice;
  readonly #ear: CallerEar;
  readonly #ended = new AbortController();
  readonly #housekeeping: Timer;
  readonly #onEnded: () => void;
  readonly #startMs: number;
  #toolResponse: { readonly id: string; readonly resolve: (answer: ToolResponse['function']) => void } | undefined;
  #work: Promise<void> = Promise.resolve();
  #hasBegun = false;
  #waiting = 0;
  #toolCalls = 0;
  #awaySinceMs: number;
  #lastAudioMs = 0;

  /** Waits for the client. `VoiceActivity.load()` must be done before. */
  constructor(
    { id, params }: Conversation,
    greeting: string,
    tools: readonly ClientTool[],
    context: PlatformContext,
    onEnded: () => void,
  ) {
    const { clock, log, state } = context;
    this.#context = context;
    this.#id = id;
    this.#greeting = greeting;
    this.#tools = tools;
    this.#params = params;
    this.#conversations = state.conversations;
    this.#audio = this.#conversations.audioOf(id);
    this.#onEnded = onEnded;
    this.#log = log;
    this.#link = new Link(log);
    this.#voice = new AgentVoice(this.#link, this.#audio, context, this.#ended.signal);
    this.#ear = new CallerEar({
      onSpeech: () => this.#interrupt(),
      onUtterance: (pcm) => this.#queue(() => this.#takeTurn(pcm)),
    });
    this.#startMs = clock.nowMs();
    this.#awaySinceMs = this.#startMs;
    this.#housekeeping = clock.every(HOUSEKEEPING_MS, () => this.#keepHouse());
  }

  /** A connection of the client: its first, or one after the link broke. */
  connect(socket: WebSocket): void {
    this.#link.connect(socket);
    // With the default `binaryType` of ws every message is one Buffer.
    socket.on('message', (data, isBinary) => this.#receive(readClientFrame(data as Buffer, isBinary)));
    socket.on('close', (code) => {
      if (!this.#link.disconnected(socket)) return;
      if (code === CLOSE_NORMAL || code === CLOSED_WITHOUT_CODE) this.#end();
      else this.#awaySinceMs = this.#context.clock.nowMs();
    });
  }

  #receive(frame: ClientFrame | undefined): void {
    if (this.#ended.signal.aborted) return;
    if (!frame) {
      this.#log.debug({ via: 'agent' }, 'a frame that is none was ignored');
      return;
    }
    switch (frame.event) {
      case 'start':
        if (!this.#hasBegun) this.#begin();
        break;
      case 'media':
        if (this.#hasBegun) this.#hear(readMedia(frame.media.payload));
        break;
      case 'mark':
        this.#voice.played(frame.mark.name);
        break;
      case 'tools_response':
        for (const answer of frame.tools_response) {
          if (answer && answer.id === this.#toolResponse?.id) this.#toolResponse.resolve(answer.function);
        }
        break;
      case 'stop':
        this.#end();
        break;
    }
  }

  #begin(): void {
    this.#hasBegun = true;
    this.#conversations.answer(this.#id);
    this.#link.send(textFrame('info', 'Connected to the voice agent'));
    this.#queue(() => this.#say([this.#greeting]));
  }

  #hear(pcm: Int16Array): void {
    this.#lastAudioMs = this.#context.clock.nowMs();
    if (this.#audio?.listeners) this.#audio.say('User', pcm);
    this.#ear.hear(pcm);
  }

  /** The caller began to speak. */
  #interrupt(): void {
    if (this.#voice.interrupt()) this.#link.send(clearFrame());
  }

  /** Does one thing after the other. */
  #queue(task: () => Promise<void>): void {
    if (this.#waiting >= MAX_WAITING) {
      this.#log.warn({ via: 'agent' }, 'an utterance was given up: too many wait');
      return;
    }
    this.#waiting++;
    this.#work = this.#work.then(async () => {
      try {
        if (!this.#ended.signal.aborted) await task();
      } catch (thrown) {
        const error = toError(thrown);
        if (!this.#ended.signal.aborted) this.#log.warn({ via: 'agent', error: error.message }, 'a turn failed');
      }
      this.#waiting--;
    });
  }

  async #takeTurn(pcm: Int16Array): Promise<void> {
    const durationMs = Math.round((pcm.length * 1000) / ENGINE_SAMPLE_RATE);
    const utterance = { pcm, durationMs, isEosEnabled: false };
    const heard = (await hear(this.#context, 'agent', utterance, this.#ended.signal)).trim();
    if (heard === '') return;
    this.#conversations.addTurn(this.#id, 'User', heard);
    this.#link.send(textFrame('transcription', heard));
    const reply = chooseReply(heard, this.#tools, this.#params);
    if (reply.kind === 'tool') {
      const response = await this.#callTool(reply.name, reply.arguments);
      await this.#say(sayResponse(reply.name, response));
      return;
    }
    await this.#say(reply.texts);
    if (reply.kind === 'hang-up') {
      await this.#voice.untilPlayed();
      this.#end();
    }
  }

  /** `params` are the tool's arguments, or a text that is sent as such. @returns what the client answers, or that it did not. */
  async #callTool(name: string, params: unknown): Promise<unknown> {
    const { clock } = this.#context;
    const id = `call_${++this.#toolCalls}`;
    const response = new Promise<ToolResponse['function']>((resolve) => {
      this.#toolResponse = { id, resolve };
    });
    this.#link.send(toolsFrame(id, name, typeof params === 'string' ? params : JSON.stringify(params)));
    const late = new AbortController();
    const timeout = wait(clock, TOOL_TIMEOUT_MS, AbortSignal.any([late.signal, this.#ended.signal]));
    const answer = await Promise.race([response, timeout]);
    late.abort();
    this.#toolResponse = undefined;
    const result = answer ? answer.response : 'there was no answer';
    this.#conversations.addToolCall(this.#id, { name, params, ok: answer !== undefined, result });
    return result;
  }

  /** Says the first of `texts` that the voice can say. */
  async #say(texts: readonly string[]): Promise<void> {
    const fault = this.#context.faults.take('agent');
    if (await this.#suffer(fault)) return;
    const { text, body } = await this.#voice.synthesize(texts, fault);
    this.#conversations.addTurn(this.#id, 'Agent', text);
    this.#link.send(textFrame('answer', text));
    // Who speaks while the answer is thought of is not talked over.
    if (body && !this.#ear.isSpeaking) await this.#voice.speak(body, fault);
  }

  /** Plays a fault that comes before what the agent says. @returns whether it takes its place. */
  async #suffer(fault: Fault | undefined): Promise<boolean> {
    if (fault?.fault === 'delay') await wait(this.#context.clock, fault.ms, this.#ended.signal);
    else if (fault?.fault === 'hang-up') this.#link.drop();
    else if (fault?.fault === 'close') this.#link.close(fault.code, fault.reason);
    else if (fault?.fault === 'text') this.#link.send(fault.text);
    else if (fault?.fault === 'tools') await this.#callTool(fault.name, fault.arguments);
    return fault?.fault === 'text' || fault?.fault === 'never-answer';
  }

  #keepHouse(): void {
    const nowMs = this.#context.clock.nowMs();
    if (nowMs - this.#lastAudioMs > AUDIO_GAP_MS) this.#ear.flush();
    if (!this.#link.isConnected && nowMs - this.#awaySinceMs > AWAY_MS) this.#end('the client is away');
    if (nowMs - this.#startMs > MAX_CONVERSATION_MS) this.#end();
  }

  /** `failure` is why, unless it is over in good order. */
  #end(failure?: string): void {
    if (this.#ended.signal.aborted) return;
    this.#ended.abort();
    this.#housekeeping.cancel();
    this.#ear.close();
    this.#conversations.end(this.#id, { reason: failure ?? null });
    this.#link.close(CLOSE_NORMAL, 'the conversation has ended');
    this.#onEnded();
  }

  /** The platform stops. */
  async close(): Promise<void> {
    this.#end();
    await this.#work;
  }
}
