import { randomUUID } from 'node:crypto';
import type { Clock } from '../../core/clock.ts';
import { Collection } from './collection.ts';
import { type CallEvent, Conversations } from './conversations.ts';
import type { Agent, Campaign, Job, KnowledgeItem, PhoneNumber, VoiceDictionary, WebTool } from './records.ts';

/** Everything that one running platform remembers. It ends with the process. */
export class PlatformState {
  readonly agents: Collection<Agent> = new Collection({ what: 'voice agent' });
  readonly phoneNumbers: Collection<PhoneNumber> = new Collection({ what: 'phone number' });
  /** Its bound is the storage of the account's tier, and this. */
  readonly knowledge: Collection<KnowledgeItem> = new Collection({
    what: 'knowledge base item',
    maxCharacters: 512 * 1_048_576,
  });
  readonly webTools: Collection<WebTool> = new Collection({ what: 'web tool' });
  readonly campaigns: Collection<Campaign> = new Collection({ what: 'campaign' });
  readonly jobs: Collection<Job> = new Collection({
    what: 'job',
    mayGiveWay: ({ status }) => status === 'COMPLETED' || status === 'FAILED',
  });
  readonly voiceDictionaries: Collection<VoiceDictionary> = new Collection({ what: 'voice dictionary' });
  readonly conversations: Conversations;
  /** The one project of the key. */
  readonly projectId: string = randomUUID();
  readonly #clock: Clock;

  constructor(clock: Clock, onEvent: (event: CallEvent) => void) {
    this.#clock = clock;
    this.conversations = new Conversations(clock, onEvent);
  }

  get now(): string {
    return new Date(this.#clock.wallMs()).toISOString();
  }

  /** `fields` as a new record. */
  make<F extends object>(fields: F): F & { id: string; createdAt: string; updatedAt: string } {
    const { now } = this;
    return { ...fields, id: randomUUID(), createdAt: now, updatedAt: now };
  }

  /** `record` with `changes`, but for what never changes. */
  change<R extends { id: string; createdAt: string }>(record: R, changes: object): R {
    const { id, createdAt } = record;
    return { ...record, ...changes, id, createdAt, updatedAt: this.now };
  }
}
