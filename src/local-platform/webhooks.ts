import type { Clock } from '../core/clock.ts';
import type { GatewayError } from '../core/errors.ts';
import type { OutboundClient } from '../core/outbound-client.ts';
import type { PlatformLog } from './platform-log.ts';
import type { Fault, FaultQueue } from './faults.ts';
import type { CallEvent } from './state/conversations.ts';
import type { Agent, Job, WebhookAuth } from './state/records.ts';
import { wait } from './wait.ts';

const ANSWER_WITHIN_MS = 5_000;
/** Waits between attempts: half a minute in all. */
const RETRY_AFTER_MS: readonly number[] = [1_000, 2_000, 4_000, 8_000, 16_000];
/** Deliveries that have not ended; more are given up at once. */
const MAX_WAITING = 10_000;

export interface WebhooksOptions {
  readonly outbound: OutboundClient;
  readonly clock: Clock;
  readonly log: PlatformLog;
  readonly faults: FaultQueue;
  readonly projectId: string;
  readonly stopping: AbortSignal;
}

interface Delivery {
  readonly url: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
  /** For the log. */
  readonly event: string;
  readonly callId: string;
}

/**
 * Tells webhooks what happens in calls. A delivery is done when it was answered with 200 within 5 s, and is tried six
 * times. The first attempts of one call's events come in their order; repeated ones come when they come.
 */
export class Webhooks {
  readonly #options: WebhooksOptions;
  /** The first attempt of each call's last event. */
  readonly #order = new Map<string, Promise<unknown>>();
  #waiting = 0;

  constructor(options: WebhooksOptions) {
    this.#options = options;
  }

  /** Tells the webhook of `agent`, if it has one. */
  onCallEvent(event: CallEvent, { id, name, webhookUrl, webhookAuth }: Agent): void {
    if (typeof webhookUrl !== 'string' || webhookUrl === '') return;
    const { faults } = this.#options;
    const isMeant = (fault: Fault): boolean => fault.event === undefined || fault.event === event.type;
    const fault = faults.take('webhook', isMeant);
    const timestamp = new Date(event.atMs).toISOString();
    const data = dataOf(event);
    if (fault?.fault === 'partial') delete data['outcomeResult'];
    const callId = event.conversation.id;
    const payload = {
      eventType: event.type,
      callId,
      timestamp,
      projectId: this.#options.projectId,
      agentId: id,
      agentName: name,
      data: fault?.fault === 'partial' && event.type !== 'call.ended' ? { timestamp } : { timestamp, data },
    };
    const headers = headersOf(webhookAuth);
    const delivery = { url: webhookUrl, headers, body: JSON.stringify(payload), event: event.type, callId };
    const copies = fault?.fault === 'duplicate' ? 2 : 1;
    for (let copy = 0; copy < copies; copy++) this.#add(delivery, fault?.fault === 'delay' ? fault.ms : 0);
  }

  /** Tells `url` that a job has ended. */
  onJobDone(job: Job, url: string): void {
    const event = job.status === 'COMPLETED' ? 'job.completed' : 'job.failed';
    const timestamp = job.updatedAt;
    const body = JSON.stringify({ eventType: event, jobId: job.id, timestamp, data: job });
    this.#add({ url, headers: headersOf(undefined), body, event, callId: job.id }, 0);
  }

  #add(delivery: Delivery, delayMs: number): void {
    const { log } = this.#options;
    const { event, callId } = delivery;
    if (this.#waiting >= MAX_WAITING) {
      log.warn({ event, callId, waiting: this.#waiting }, 'a webhook was given up: too many wait');
      return;
    }
    this.#waiting++;
    const before = this.#order.get(callId) ?? Promise.resolve();
    const first = before.then(() => this.#attempt(delivery, delayMs));
    this.#order.set(callId, first);
    void first.then(async (isDone) => {
      if (this.#order.get(callId) === first) this.#order.delete(callId);
      if (!isDone) await this.#repeat(delivery);
      this.#waiting--;
    });
  }

  async #repeat(delivery: Delivery): Promise<void> {
    const { event, callId } = delivery;
    for (const afterMs of RETRY_AFTER_MS) if (await this.#attempt(delivery, afterMs)) return;
    this.#options.log.warn({ event, callId }, 'a webhook was given up: it was never answered with 200');
  }

  /** @returns whether there is nothing left to do. Never rejects. */
  async #attempt({ url, headers, body, event, callId }: Delivery, afterMs: number): Promise<boolean> {
    const { outbound, clock, log, stopping } = this.#options;
    if (afterMs > 0) await wait(clock, afterMs, stopping);
    if (stopping.aborted) return true;
    const request = {
      url,
      method: 'POST',
      headers,
      body,
      timeoutMs: ANSWER_WITHIN_MS,
      maxRedirects: 0,
      signal: stopping,
    };
    try {
      const { status } = await outbound.request(request);
      log.info({ event, callId, status }, 'a webhook was answered');
      return status === 200;
    } catch (thrown) {
      const error = thrown as GatewayError;
      log.info({ event, callId, error: error.message }, 'a webhook could not be delivered');
      return error.code === 'ERR_URL_REFUSED';
    }
  }
}

function dataOf({ type, conversation, turn, toolCall }: CallEvent): Record<string, unknown> {
  const { id: conversationId, from, to, params, transcription, outcomeResult, conversationRecording } = conversation;
  switch (type) {
    case 'call.started':
      return { conversationId, from, to, params };
    case 'call.answered':
      return { conversationId };
    case 'transcription.update':
      return { conversationId, transcription: [turn] };
    case 'tool.executed': {
      const { name, params: given, ok, result } = toolCall!;
      return { conversationId, toolName: name, params: given, success: ok, result };
    }
    case 'call.ended':
      return { conversationId, conversationRecording, transcription, outcomeResult };
  }
}

/** `{authKey: 'bearer', authSecret: 'Bearer SECRET'}`, or the name of a header and its value. */
function headersOf(auth: WebhookAuth | null | undefined): Record<string, string> {
  const headers: Record<string, string> = { 'content-type': 'application/json', 'user-agent': 'hamsa-local-platform' };
  if (!auth) return headers;
  const { authKey, authSecret } = auth;
  if (authKey.toLowerCase() === 'bearer') {
    headers['authorization'] = /^bearer\s/i.test(authSecret) ? authSecret : `Bearer ${authSecret}`;
  } else {
    headers[authKey.toLowerCase()] = authSecret;
  }
  return headers;
}
