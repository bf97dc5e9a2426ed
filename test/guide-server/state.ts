import { randomBytes } from 'node:crypto';
import { notFound } from './answers.ts';
import type { Item, JsonObject } from './types.ts';

/** Makes an id in the style of the guide's examples, such as `agent_abc123`. */
export function newId(prefix: string): string {
  return `${prefix}_${randomBytes(6).toString('hex')}`;
}

/** An ordered set of stored items of one kind. */
export class Collection {
  private readonly items = new Map<string, Item>();
  private readonly prefix: string;
  private readonly label: string;

  public constructor(prefix: string, label: string) {
    this.prefix = prefix;
    this.label = label;
  }

  /** Stores what was sent under a new id; an id in the sent fields is not taken over. */
  public add(fields: JsonObject): Item {
    const item: Item = { ...fields, id: newId(this.prefix) };
    this.items.set(item.id, item);
    return item;
  }

  public find(id: string): Item | undefined {
    return this.items.get(id);
  }

  /** Gets an item or fails with 404, code 10404 of section "Common Error Codes". */
  public get(id: string): Item {
    const item = this.items.get(id);
    if (item === undefined) throw notFound(this.label);
    return item;
  }

  /** Lays the given fields over the stored ones; this is what PATCH means here. */
  public update(id: string, fields: JsonObject): Item {
    const item: Item = { ...this.get(id), ...fields, id };
    this.items.set(id, item);
    return item;
  }

  /** Puts an item in the place of the one with the same id. */
  public replace(item: Item): Item {
    this.get(item.id);
    this.items.set(item.id, item);
    return item;
  }

  public remove(id: string): void {
    this.get(id);
    this.items.delete(id);
  }

  public list(): readonly Item[] {
    return [...this.items.values()];
  }
}

/** A call as the section "Call Ended Payload Structure" names its parts. */
export interface Conversation {
  readonly callId: string;
  readonly agentId: string;
  readonly agentName: string;
  readonly conversationId: string;
  readonly conversationRecording: string;
  readonly transcription: readonly JsonObject[];
  readonly outcomeResult: JsonObject;
}

/** Everything the server remembers. */
export class GuideState {
  public readonly agents: Collection = new Collection('agent', 'Voice agent');
  public readonly phoneNumbers: Collection = new Collection('phone', 'Phone number');
  public readonly knowledgeItems: Collection = new Collection('kb', 'Knowledge item');
  public readonly webTools: Collection = new Collection('tool', 'Web tool');
  public readonly campaigns: Collection = new Collection('campaign', 'Campaign');
  public readonly jobs: Collection = new Collection('job', 'Job');
  public readonly conversations: Map<string, Conversation> = new Map();

  /** Finds a conversation by its conversation id or its call id. */
  public findConversation(id: string): Conversation | undefined {
    const direct = this.conversations.get(id);
    if (direct !== undefined) return direct;
    return [...this.conversations.values()].find((conversation) => conversation.callId === id);
  }
}
