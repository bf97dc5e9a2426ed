import type { RedisConnection, RedisScript } from './redis.ts';

/** One line of the log. */
export interface SharedLogEntry {
  /** Ids ascend in the order of the log. */
  readonly id: string;
  /** When it was added, on the log's clock. */
  readonly atMs: number;
  readonly text: string;
}

export interface SharedLogReply {
  /** The log's clock. */
  readonly nowMs: number;
  readonly appended: boolean;
  /** Another one when the log has lost its memory since. */
  readonly epoch: string;
  /** Everything after what was seen, what was appended included. */
  readonly unseen: readonly SharedLogEntry[];
}

/** A log that several processes read and write, with one order and one clock. */
export interface SharedLog {
  /**
   * Adds `texts` and tells what is new, in one step.
   *
   * @param seenId - id of the newest entry the caller knows; '' for none.
   * @param onlyIfSeen - adds nothing when there is anything that the caller has not seen.
   * @throws Error - the log can not be reached.
   */
  exchange(seenId: string, texts: readonly string[], onlyIfSeen: boolean): Promise<SharedLogReply>;
}

/** How long entries are kept. */
const KEEP_MS = 600_000;

/** Ids are `MS-NUMBER` on the clock of Redis, which every gateway goes by. */
const EXCHANGE: RedisScript = {
  name: 'hamsaExchange',
  lua: `
    local time = redis.call('TIME')
    local nowMs = time[1] * 1000 + math.floor(time[2] / 1000)
    local epoch = redis.call('GET', KEYS[2])
    if not epoch then
      epoch = tostring(nowMs)
      redis.call('SET', KEYS[2], epoch, 'PX', ARGV[3])
    end
    local unseen = redis.call('XRANGE', KEYS[1], ARGV[1], '+')
    local appended = ARGV[2] == '0' or #unseen == 0
    if appended and #ARGV > 3 then
      for i = 4, #ARGV do
        local id = redis.call('XADD', KEYS[1], '*', 'text', ARGV[i])
        unseen[#unseen + 1] = {id, {'text', ARGV[i]}}
      end
      redis.call('XTRIM', KEYS[1], 'MINID', '~', nowMs - ARGV[3])
      redis.call('PEXPIRE', KEYS[1], ARGV[3])
      redis.call('PEXPIRE', KEYS[2], ARGV[3])
    end
    return {tostring(nowMs), appended and 1 or 0, epoch, unseen}`,
};

type Reply = readonly [nowMs: string, appended: number, epoch: string, unseen: [id: string, fields: string[]][]];

/** The log as a stream of Redis, whose key is `{NAME}:log`. */
export class RedisLog implements SharedLog {
  readonly #redis: RedisConnection;
  readonly #keys: readonly string[];

  /** Those who give the same `name` share the log. */
  constructor(redis: RedisConnection, name: string) {
    this.#redis = redis;
    // The braces keep both on one node of a cluster.
    this.#keys = [`{${name}}:log`, `{${name}}:epoch`];
  }

  async exchange(seenId: string, texts: readonly string[], onlyIfSeen: boolean): Promise<SharedLogReply> {
    const from = seenId === '' ? '-' : `(${seenId}`;
    const reply = await this.#redis.run(EXCHANGE, this.#keys, [from, onlyIfSeen ? 1 : 0, KEEP_MS, ...texts]);
    const [nowMs, appended, epoch, unseen] = reply as Reply;
    return {
      nowMs: Number(nowMs),
      appended: appended === 1,
      epoch,
      unseen: unseen.map(([id, [, text = '']]) => ({ id, atMs: Number.parseInt(id, 10), text })),
    };
  }
}
