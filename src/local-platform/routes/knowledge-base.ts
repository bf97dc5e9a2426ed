import { z } from 'zod';
import { done, knowledgeItem, listOf } from '../api/answers.ts';
import { type Fields, idField, name, pageOf, pageQuery, requireText, webAddress } from '../api/fields.ts';
import { type Route, route } from '../api/route.ts';
import type { PlatformContext } from '../context.ts';
import { addressesOf, checkItem, checkStorage, sizeOf } from '../knowledge-storage.ts';
import type { KnowledgeItem } from '../state/records.ts';

const fields = {
  name: name.exactOptional(),
  content: z.string().exactOptional(),
  url: webAddress.exactOptional(),
  urls: z.array(webAddress).max(10_000).exactOptional(),
  /** Of a form, of which it is what its file has. */
  fileBytes: z.int().min(0).exactOptional(),
  isActive: z.boolean().exactOptional(),
};
const type = z.enum(['TEXT', 'FILE', 'URL']);

type Settings = Fields & Partial<Pick<KnowledgeItem, 'name' | 'content' | 'url' | 'urls' | 'fileBytes' | 'isActive'>>;
const create: z.ZodType<Settings & Pick<KnowledgeItem, 'type'>> = z.preprocess(
  (body) => (isUpload(body) ? { type: 'FILE', name: body['fileName'], ...body } : body),
  z.looseObject({ type, ...fields }),
);
const update: z.ZodType<Settings> = z.looseObject({ type: type.exactOptional(), ...fields });
const addUrl: z.ZodType<Pick<Settings, 'url' | 'urls'>> = z.looseObject({ url: fields.url, urls: fields.urls });
export const activation: z.ZodType<Fields & { isActive?: boolean | undefined }> = z.looseObject({
  id: idField.exactOptional(),
  isActive: z.boolean().exactOptional(),
});

/** A form that has a file says with it of which type it is. */
function isUpload(body: unknown): body is Fields {
  return typeof body === 'object' && body !== null && 'fileName' in body && 'fileBytes' in body;
}

/** What agents know. */
export function knowledgeBaseRoutes({ state, tier, knowledgeReader }: PlatformContext): Route[] {
  const { knowledge } = state;
  /** Stores an item whose contents are new, and has what is behind its addresses fetched. */
  const keep = (item: KnowledgeItem): KnowledgeItem => {
    checkItem(item);
    const isThere = addressesOf(item).length === 0;
    const contentVersion = (knowledge.find(item.id)?.contentVersion ?? 0) + 1;
    const status = isThere ? ('READY' as const) : ('PROCESSING' as const);
    const unread = { ...item, status, error: null, contentVersion, pageBytes: 0 };
    const sized = { ...unread, sizeBytes: sizeOf(unread) };
    checkStorage(knowledge, tier, sized);
    const kept = knowledge.put(sized);
    if (!isThere) knowledgeReader.read(kept);
    return kept;
  };
  return [
    route({
      operation: 'knowledgeBase.create',
      method: 'POST',
      path: '/v1/voice-agents/knowledge-base',
      about: 'Create an item: TEXT, FILE or URL; a FILE also as a form with the file.',
      body: create,
      answer: knowledgeItem,
      handle: ({ body }) => {
        const preset = { name: body.type, urls: [], fileBytes: 0, isActive: true };
        const unread = { status: 'PROCESSING' as const, error: null, contentVersion: 0, pageBytes: 0, sizeBytes: 0 };
        return keep(state.make({ ...preset, ...body, ...unread }));
      },
    }),
    route({
      operation: 'knowledgeBase.list',
      method: 'GET',
      path: '/v1/voice-agents/knowledge-base/list',
      about: 'List the items.',
      query: pageQuery,
      answer: listOf(knowledgeItem),
      handle: ({ query }) => pageOf(knowledge.all(), query, ['type', 'name', 'isActive']),
    }),
    route({
      operation: 'knowledgeBase.get',
      method: 'GET',
      path: '/v1/voice-agents/knowledge-base/{id}',
      about: 'Show an item.',
      answer: knowledgeItem,
      handle: ({ id }) => knowledge.get(id),
    }),
    route({
      operation: 'knowledgeBase.update',
      method: 'PATCH',
      path: '/v1/voice-agents/knowledge-base/{id}',
      about: 'Change an item.',
      body: update,
      answer: knowledgeItem,
      handle: ({ id, body }) => keep(state.change(knowledge.get(id), body)),
    }),
    route({
      operation: 'knowledgeBase.delete',
      method: 'DELETE',
      path: '/v1/voice-agents/knowledge-base/{id}',
      about: 'Delete an item.',
      answer: done,
      handle: ({ id }) => ({ id: knowledge.delete(id).id }),
    }),
    route({
      operation: 'knowledgeBase.addUrl',
      method: 'POST',
      path: '/v1/voice-agents/knowledge-base/{id}/url',
      about: 'Add a web page, or several, to an item.',
      body: addUrl,
      answer: knowledgeItem,
      handle: ({ id, body }) => {
        const item = knowledge.get(id);
        const added = body.urls ?? [requireText(body, 'url')];
        return keep(state.change(item, { urls: [...new Set([...item.urls, ...added])] }));
      },
    }),
    route({
      operation: 'knowledgeBase.toggleActivation',
      method: 'POST',
      path: '/v1/voice-agents/knowledge-base/toggle-activation',
      about: 'Activate or deactivate an item.',
      body: activation,
      answer: knowledgeItem,
      handle: ({ body }) => {
        const item = knowledge.get(requireText(body, 'id'));
        return knowledge.put(state.change(item, { isActive: body.isActive ?? !item.isActive }));
      },
    }),
  ];
}
