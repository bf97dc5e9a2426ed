import { toError } from '../../core/errors.ts';
import type { PlatformLog } from '../platform-log.ts';
import type { PlatformState } from '../state/state.ts';
import type { Campaign, Contact } from '../state/records.ts';
import type { CallSimulator } from './call-simulator.ts';

/**
 * Calls the contacts of campaigns, one after the other. A campaign runs as soon as it has an agent and a contact that was
 * not called yet. A call that was placed ends by itself, whatever becomes of its campaign meanwhile.
 */
export class CampaignRunner {
  readonly #state: PlatformState;
  readonly #simulator: CallSimulator;
  readonly #log: PlatformLog;
  readonly #stopping: AbortSignal;
  readonly #running = new Map<string, Promise<void>>();

  constructor(state: PlatformState, simulator: CallSimulator, log: PlatformLog, stopping: AbortSignal) {
    this.#state = state;
    this.#simulator = simulator;
    this.#log = log;
    this.#stopping = stopping;
  }

  /** Stores a campaign that is new or was changed, and lets it run if it can. @returns it as it is then. */
  store(campaign: Campaign): Campaign {
    const isIdle = campaign.status === 'DRAFT' || campaign.status === 'COMPLETED';
    return this.#put(isIdle && canRun(campaign) ? { ...campaign, status: 'RUNNING' } : campaign);
  }

  /** No contact is called any more. Nothing happens to one that has ended. */
  pause(id: string): Campaign {
    const campaign = this.#state.campaigns.get(id);
    return isOver(campaign) ? campaign : this.#put(this.#state.change(campaign, { status: 'PAUSED' }));
  }

  resume(id: string): Campaign {
    const campaign = this.#state.campaigns.get(id);
    if (campaign.status !== 'PAUSED') return campaign;
    const status = canRun(campaign) ? 'RUNNING' : campaign.contacts.length === 0 ? 'DRAFT' : 'COMPLETED';
    return this.#put(this.#state.change(campaign, { status }));
  }

  /** What was not called yet never is. */
  cancel(id: string): Campaign {
    const campaign = this.#state.campaigns.get(id);
    if (isOver(campaign)) return campaign;
    const contacts = campaign.contacts.map(
      (contact): Contact => (contact.status === 'PENDING' ? { ...contact, status: 'CANCELLED' } : contact),
    );
    return this.#put(this.#state.change(campaign, { status: 'CANCELLED', contacts }));
  }

  /** Calls the contacts again that could not be reached. Nothing happens if there are none. */
  retry(id: string): Campaign {
    const campaign = this.#state.campaigns.get(id);
    if (!campaign.contacts.some(({ status }) => status === 'FAILED')) return campaign;
    const contacts = campaign.contacts.map(
      (contact): Contact => (contact.status === 'FAILED' ? { ...contact, status: 'PENDING' } : contact),
    );
    return this.#put(this.#state.change(campaign, { status: 'RUNNING', contacts }));
  }

  /** Resolves when nothing runs any more, which ends when the platform stops. */
  async settled(): Promise<void> {
    await Promise.all(this.#running.values());
  }

  #put(campaign: Campaign): Campaign {
    this.#state.campaigns.put(campaign);
    this.#runIfItShould(campaign.id);
    return campaign;
  }

  #runIfItShould(id: string): void {
    const isRunning = this.#state.campaigns.find(id)?.status === 'RUNNING';
    if (!isRunning || this.#running.has(id) || this.#stopping.aborted) return;
    const running = this.#run(id)
      .catch((thrown: unknown) => {
        this.#log.error({ error: toError(thrown).message }, 'a campaign was paused: it can not go on');
        this.pause(id);
      })
      .finally(() => {
        this.#running.delete(id);
        // It may have been started again since it looked.
        this.#runIfItShould(id);
      });
    this.#running.set(id, running);
  }

  async #run(id: string): Promise<void> {
    // A request that changes a campaign answers with it as it is before the first call.
    await Promise.resolve();
    for (;;) {
      const campaign = this.#state.campaigns.find(id);
      if (campaign?.status !== 'RUNNING' || this.#stopping.aborted) return;
      const index = campaign.contacts.findIndex(({ status }) => status === 'PENDING');
      const contact = campaign.contacts[index];
      if (contact === undefined) {
        this.#state.campaigns.put(this.#state.change(campaign, { status: 'COMPLETED' }));
        return;
      }
      await this.#call(campaign, contact, index);
    }
  }

  async #call(campaign: Campaign, contact: Contact, index: number): Promise<void> {
    const { agents, phoneNumbers } = this.#state;
    const agent = agents.find(campaign.voiceAgentId ?? '');
    if (agent === undefined) {
      this.#update(campaign.id, contact, index, { status: 'FAILED' });
      return;
    }
    const { conversation, ended } = this.#simulator.place({
      agent,
      to: contact.number,
      from: phoneNumbers.find(campaign.phoneNumberId ?? '')?.number ?? null,
      phoneNumberId: campaign.phoneNumberId,
      campaignId: campaign.id,
      params: contact.params,
    });
    const attempts = contact.attempts + 1;
    this.#update(campaign.id, contact, index, { status: 'CALLING', attempts, conversationId: conversation.id });
    const { status } = await ended;
    this.#update(campaign.id, contact, index, { status: status === 'COMPLETED' ? 'COMPLETED' : 'FAILED' });
  }

  /** The campaign may have other contacts by now. */
  #update(id: string, { number }: Contact, index: number, changes: Partial<Contact>): void {
    const campaign = this.#state.campaigns.find(id);
    if (campaign?.contacts[index]?.number !== number) return;
    const contacts = campaign.contacts.with(index, { ...campaign.contacts[index], ...changes });
    this.#state.campaigns.put(this.#state.change(campaign, { contacts }));
  }
}

function canRun({ voiceAgentId, contacts }: Campaign): boolean {
  return voiceAgentId !== null && contacts.some(({ status }) => status === 'PENDING' || status === 'CALLING');
}

function isOver({ status }: Campaign): boolean {
  return status === 'COMPLETED' || status === 'CANCELLED';
}
