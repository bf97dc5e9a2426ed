import { z } from 'zod';
import { campaign, listOf } from '../api/answers.ts';
import { type Fields, idField, name, number, pageOf, pageQuery, params } from '../api/fields.ts';
import { type Route, route } from '../api/route.ts';
import type { PlatformContext } from '../context.ts';
import type { Contact, Params } from '../state/records.ts';

const MAX_CONTACTS = 10_000;

const fields = {
  voiceAgentId: idField.nullish(),
  phoneNumberId: idField.nullish(),
  contacts: z
    .array(z.looseObject({ number, params: params.exactOptional() }))
    .max(MAX_CONTACTS)
    .exactOptional(),
};
interface Settings extends Fields {
  readonly voiceAgentId?: string | null | undefined;
  readonly phoneNumberId?: string | null | undefined;
  readonly contacts?: readonly { readonly number: string; readonly params?: Params | undefined }[] | undefined;
}
const create: z.ZodType<Settings & { name: string }> = z.looseObject({ name, ...fields });
const update: z.ZodType<Settings> = z.looseObject({ name: name.exactOptional(), ...fields });

/** Campaigns, which call their contacts. */
export function campaignRoutes({ state, campaigns: runner }: PlatformContext): Route[] {
  const { campaigns, agents, phoneNumbers } = state;
  const checkIds = ({ voiceAgentId, phoneNumberId }: Settings): void => {
    if (typeof voiceAgentId === 'string') agents.get(voiceAgentId);
    if (typeof phoneNumberId === 'string') phoneNumbers.get(phoneNumberId);
  };
  const command = (verb: 'pause' | 'resume' | 'cancel' | 'retry', about: string): Route =>
    route({
      operation: `campaigns.${verb}`,
      method: 'POST',
      path: `/v1/voice-agents/campaigns/{id}/${verb}`,
      about,
      answer: campaign,
      handle: ({ id }) => runner[verb](id),
    });
  return [
    route({
      operation: 'campaigns.create',
      method: 'POST',
      path: '/v1/voice-agents/campaigns',
      about: 'Create a campaign, which calls its contacts.',
      body: create,
      answer: campaign,
      handle: ({ body }) => {
        checkIds(body);
        const { voiceAgentId = null, phoneNumberId = null, contacts = [] } = body;
        const fresh = contactsOf(contacts, []);
        const made = state.make({ ...body, voiceAgentId, phoneNumberId, contacts: fresh, status: 'DRAFT' as const });
        return runner.store(made);
      },
    }),
    route({
      operation: 'campaigns.list',
      method: 'GET',
      path: '/v1/voice-agents/campaigns',
      about: 'List the campaigns.',
      query: pageQuery,
      answer: listOf(campaign),
      handle: ({ query }) => pageOf(campaigns.all(), query, ['name', 'status', 'voiceAgentId', 'phoneNumberId']),
    }),
    route({
      operation: 'campaigns.get',
      method: 'GET',
      path: '/v1/voice-agents/campaigns/{id}',
      about: 'Show a campaign.',
      answer: campaign,
      handle: ({ id }) => campaigns.get(id),
    }),
    route({
      operation: 'campaigns.update',
      method: 'PATCH',
      path: '/v1/voice-agents/campaigns/{id}',
      about: 'Change a campaign.',
      body: update,
      answer: campaign,
      handle: ({ id, body }) => {
        checkIds(body);
        const old = campaigns.get(id);
        const contacts = body.contacts === undefined ? old.contacts : contactsOf(body.contacts, old.contacts);
        return runner.store(state.change(old, { ...body, contacts, status: old.status }));
      },
    }),
    command('pause', 'Pause a campaign.'),
    command('resume', 'Resume a campaign.'),
    command('cancel', 'Cancel a campaign.'),
    command('retry', 'Call the contacts again that could not be reached.'),
  ];
}

/** Those who were in the campaign already keep what became of them. */
function contactsOf(given: NonNullable<Settings['contacts']>, old: readonly Contact[]): Contact[] {
  return given.map(({ number, params }) => {
    const known = old.find((contact) => contact.number === number);
    return known ?? { number, params, status: 'PENDING', attempts: 0, conversationId: null };
  });
}
