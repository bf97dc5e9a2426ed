import { randomUUID } from 'node:crypto';
import type { Clock } from '../../core/clock.ts';
import { ApiError } from '../api-error.ts';
import { Collection } from './collection.ts';
import { LiveAudio } from './live-audio.ts';
import type { Agent, Conversation, Params, Speaker, ToolCall, Turn } from './records.ts';

const MAX_TURNS = 1000;
const MAX_TOOL_CALLS = 1000;
const MAX_TURN_CHARACTERS = 10_000;
const MAX_ONGOING = 1000;

export type CallEventType = 'call.started' | 'call.answered' | 'transcription.update' | 'tool.executed' | 'call.ended';

/** Something that happened in a conversation. */
export interface CallEvent {
  readonly type: CallEventType;
  /** As it is after the event. */
  readonly conversation: Conversation;
  /** No two events of one conversation have the same, so that they can be told apart by it. */
  readonly atMs: number;
  /** What is new with a `transcription.update`. */
  readonly turn?: Turn;
  /** What is new with a `tool.executed`. */
  readonly toolCall?: ToolCall;
}

export interface ConversationStart {
  readonly agent: Agent;
  readonly channel: Conversation['channel'];
  readonly from?: string | null;
  readonly to?: string | null;
  readonly phoneNumberId?: string | null;
  readonly campaignId?: string | null;
  readonly params?: Params | undefined;
}

interface Ongoing {
  readonly audio: LiveAudio;
  lastEventAtMs: number;
}

/** Every conversation, with what of it can be listened to while it goes on. */
export class Conversations {
  readonly #clock: Clock;
  readonly #records = new Collection<Conversation>({
    what: 'conversation',
    mayGiveWay: ({ status }) => status === 'COMPLETED' || status === 'FAILED',
  });
  readonly #ongoing = new Map<string, Ongoing>();
  readonly #onEvent: (event: CallEvent) => void;

  constructor(clock: Clock, onEvent: (event: CallEvent) => void) {
    this.#clock = clock;
    this.#onEvent = onEvent;
  }

  /** Newest first. */
  all(): Conversation[] {
    return this.#records.all().reverse();
  }

  /** @throws ApiError 404. */
  get(id: string): Conversation {
    return this.#records.get(id);
  }

  find(id: string): Conversation | undefined {
    return this.#records.find(id);
  }

  get ongoing(): number {
    return this.#ongoing.size;
  }

  /** What the conversation sounds like; undefined once it is over. */
  audioOf(id: string): LiveAudio | undefined {
    return this.#ongoing.get(id)?.audio;
  }

  /** @throws ApiError 503 - too many go on. */
  start({ agent, channel, from, to, phoneNumberId, campaignId, params }: ConversationStart): Conversation {
    if (this.#ongoing.size >= MAX_ONGOING) throw new ApiError(503, 'Too many conversations go on');
    const id = randomUUID();
    const now = this.#now();
    const conversation = this.#records.put({
      id,
      jobId: id,
      createdAt: now,
      updatedAt: now,
      voiceAgentId: agent.id,
      agentName: agent.name,
      channel,
      from: from ?? null,
      to: to ?? null,
      phoneNumberId: phoneNumberId ?? null,
      campaignId: campaignId ?? null,
      params: { ...agent.params, ...params },
      status: 'PENDING',
      reason: null,
      startedAt: now,
      answeredAt: null,
      endedAt: null,
      durationMs: null,
      transcription: [],
      toolCalls: [],
      outcomeResult: null,
      conversationRecording: null,
    });
    this.#ongoing.set(id, { audio: new LiveAudio(this.#clock), lastEventAtMs: 0 });
    this.#tell('call.started', conversation);
    return conversation;
  }

  /** Nothing happens unless it is pending. */
  answer(id: string): void {
    if (this.find(id)?.status !== 'PENDING') return;
    this.#tell('call.answered', this.#change(id, { status: 'ONGOING', answeredAt: this.#now() }));
  }

  /** Adds a turn, while the conversation goes on. */
  addTurn(id: string, speaker: Speaker, text: string): void {
    const { transcription } = this.get(id);
    if (!this.#ongoing.has(id) || transcription.length >= MAX_TURNS) return;
    const words = text.slice(0, MAX_TURN_CHARACTERS);
    const turn: Turn = speaker === 'Agent' ? { Agent: words } : { User: words };
    this.#tell('transcription.update', this.#change(id, { transcription: [...transcription, turn] }), { turn });
  }

  addToolCall(id: string, call: Omit<ToolCall, 'at'>): void {
    const { toolCalls } = this.get(id);
    if (!this.#ongoing.has(id) || toolCalls.length >= MAX_TOOL_CALLS) return;
    const toolCall: ToolCall = { ...call, at: this.#now() };
    this.#tell('tool.executed', this.#change(id, { toolCalls: [...toolCalls, toolCall] }), { toolCall });
  }

  /** Ends it, once: `reason` is why it failed. */
  end(
    id: string,
    { reason = null, recording = null }: { readonly reason?: string | null; readonly recording?: string | null } = {},
  ): void {
    const ongoing = this.#ongoing.get(id);
    if (ongoing === undefined) return;
    ongoing.audio.end();
    const { answeredAt, params } = this.get(id);
    const isAnswered = reason === null && answeredAt !== null;
    const ended = this.#change(id, {
      status: reason === null ? 'COMPLETED' : 'FAILED',
      reason,
      endedAt: this.#now(),
      durationMs: answeredAt === null ? 0 : this.#clock.wallMs() - Date.parse(answeredAt),
      conversationRecording: recording,
      outcomeResult: { ...params, resolved: isAnswered, sentiment_score: isAnswered ? 0.8 : 0 },
    });
    this.#tell('call.ended', ended);
    this.#ongoing.delete(id);
  }

  #change(id: string, changes: Partial<Conversation>): Conversation {
    return this.#records.put({ ...this.get(id), ...changes, updatedAt: this.#now() });
  }

  #tell(type: CallEventType, conversation: Conversation, added: Pick<CallEvent, 'turn' | 'toolCall'> = {}): void {
    const ongoing = this.#ongoing.get(conversation.id)!;
    const atMs = Math.max(Math.floor(this.#clock.wallMs()), ongoing.lastEventAtMs + 1);
    ongoing.lastEventAtMs = atMs;
    this.#onEvent({ type, conversation, atMs, ...added });
  }

  #now(): string {
    return new Date(this.#clock.wallMs()).toISOString();
  }
}
