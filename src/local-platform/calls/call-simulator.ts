import type { Clock } from '../../core/clock.ts';
import { toError } from '../../core/errors.ts';
import type { OutboundClient } from '../../core/outbound-client.ts';
import { fillIn } from '../agent/reply.ts';
import { ApiError } from '../api-error.ts';
import type { PlatformLog } from '../platform-log.ts';
import type { Voice } from '../engines/engine.ts';
import type { Fault, FaultQueue } from '../faults.ts';
import type { MediaShelf } from '../media-shelf.ts';
import type { Agent, Conversation, Params, Speaker, WebTool } from '../state/records.ts';
import type { PlatformState } from '../state/state.ts';
import { wait } from '../wait.ts';
import { callWebTool, paramsFor } from '../web-tools.ts';

export interface CallSimulatorOptions {
  readonly state: PlatformState;
  readonly voice: Voice;
  readonly outbound: OutboundClient;
  readonly media: MediaShelf;
  readonly faults: FaultQueue;
  readonly clock: Clock;
  readonly log: PlatformLog;
  readonly stopping: AbortSignal;
}

export interface CallRequest {
  readonly agent: Agent;
  readonly to: string;
  readonly from?: string | null;
  readonly phoneNumberId?: string | null;
  readonly campaignId?: string | null;
  readonly params?: Params | undefined;
}

const RINGING_MS = 500;
const PAUSE_MS = 100;
/** How long a turn takes while nobody listens: as long as to say it, so that there is time to join a call. */
const MS_PER_CHARACTER = 65;
/** Campaigns, which call many, talk faster. */
const CAMPAIGN_MS_PER_CHARACTER = 25;
const MAX_TURN_MS = 6_000;
const MAX_TOOLS = 16;

const GREETING = 'Hello! How can I help you today?';
const GOODBYE = 'Thank you, I have made a note of that. Goodbye!';
/** Sentences that the built-in voice knows too. */
const USERS: readonly string[] = [
  'I want to change my appointment to next Friday.',
  'My computer will not connect to the internet.',
  'How long will it take to repair my car?',
  'What time does the last train leave for London?',
];

/**
 * Calls in which the platform plays both parts: it rings, the agent greets, the one who was called says something, the
 * agent's web tools are really called, and the agent says goodbye. Both are spoken as soon as somebody listens.
 */
export class CallSimulator {
  readonly #options: CallSimulatorOptions;
  readonly #running = new Set<Promise<void>>();
  #placed = 0;

  constructor(options: CallSimulatorOptions) {
    this.#options = options;
  }

  /**
   * Places a call.
   *
   * @returns the conversation as it is now, and when it has ended.
   * @throws ApiError 503 - too many calls go on.
   */
  place({ agent, ...request }: CallRequest): { conversation: Conversation; ended: Promise<Conversation> } {
    const { state, faults, log } = this.#options;
    const isMeant = (fault: Fault): boolean => fault.number === undefined || fault.number === request.to;
    const fault = faults.take('call', isMeant);
    const conversation = state.conversations.start({ agent, channel: 'phone', ...request });
    const reason = fault?.fault === 'unanswered' ? fault.reason : null;
    const user = USERS[this.#placed++ % USERS.length]!;
    const running = this.#play(conversation.id, agent, user, reason).catch((thrown: unknown) => {
      log.error({ error: toError(thrown).message }, 'a simulated call failed');
      state.conversations.end(conversation.id, { reason: 'error' });
    });
    this.#running.add(running);
    void running.then(() => this.#running.delete(running));
    return { conversation, ended: running.then(() => state.conversations.find(conversation.id) ?? conversation) };
  }

  /** Resolves when every call has ended, which they do when the platform stops. */
  async settled(): Promise<void> {
    await Promise.all(this.#running);
  }

  async #play(id: string, agent: Agent, user: string, unansweredFor: string | null): Promise<void> {
    const { state, clock, stopping, media } = this.#options;
    const { conversations } = state;
    await wait(clock, RINGING_MS, stopping);
    if (unansweredFor !== null || stopping.aborted) {
      conversations.end(id, { reason: unansweredFor ?? 'shutdown' });
      return;
    }
    conversations.answer(id);
    await this.#say(id, 'Agent', fillIn(agent.greeting?.trim() || GREETING, conversations.get(id).params));
    await this.#say(id, 'User', user);
    await this.#callTools(id, agent);
    await this.#say(id, 'Agent', GOODBYE);
    conversations.end(id, { reason: stopping.aborted ? 'shutdown' : null, recording: media.recordingUrl(id) });
  }

  async #say(id: string, speaker: Speaker, text: string): Promise<void> {
    const { state, voice, clock, log, stopping } = this.#options;
    if (stopping.aborted) return;
    state.conversations.addTurn(id, speaker, text);
    const audio = state.conversations.audioOf(id);
    const pcm =
      audio?.listeners === 0
        ? undefined
        : await voice.speak(text, stopping).then(
            (spoken) => spoken.pcm,
            (thrown: unknown) => {
              if (!(thrown instanceof ApiError) && !stopping.aborted) throw thrown;
              log.debug({ error: toError(thrown).message }, 'a turn of a simulated call is not heard');
              return undefined;
            },
          );
    const { campaignId } = state.conversations.get(id);
    const msPerCharacter = campaignId === null ? MS_PER_CHARACTER : CAMPAIGN_MS_PER_CHARACTER;
    const silentMs = Math.min(MAX_TURN_MS, text.length * msPerCharacter);
    const turnMs = pcm === undefined ? silentMs : (audio?.say(speaker, pcm) ?? 0) - clock.nowMs();
    await wait(clock, turnMs + PAUSE_MS, stopping);
  }

  async #callTools(id: string, agent: Agent): Promise<void> {
    const { state, outbound, clock, stopping } = this.#options;
    for (const tool of toolsOf(agent, state.webTools.all())) {
      if (stopping.aborted) return;
      const params = paramsFor(tool, state.conversations.get(id).params);
      let ok = false;
      let result: unknown;
      try {
        const answer = await callWebTool(outbound, clock, tool, params, stopping);
        ({ ok } = answer);
        result = answer.error ?? answer.body;
      } catch (thrown) {
        if (!(thrown instanceof ApiError)) throw thrown;
        result = { error: thrown.message, details: thrown.details };
      }
      state.conversations.addToolCall(id, { name: tool.name, params, ok, result });
    }
  }
}

/** Those that the agent names, or all of the account if it names none: no document says how an agent gets its tools. */
function toolsOf(agent: Agent, all: readonly WebTool[]): WebTool[] {
  const named = [agent['webToolIds'], agent['toolIds'], agent['tools']].find(Array.isArray);
  const ids = named?.map((tool: unknown) =>
    typeof tool === 'object' && tool !== null ? (tool as { id?: unknown }).id : tool,
  );
  return all.filter(({ id, isActive }) => isActive && (ids === undefined || ids.includes(id))).slice(0, MAX_TOOLS);
}
