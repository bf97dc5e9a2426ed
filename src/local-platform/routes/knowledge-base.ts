import { z } from 'zod';
import { done, knowledgeItem, listOf } from '../api/answers.ts';
import { type Fields, idField, name, pageOf, pageQuery, requireText, webAddress } from '../api/fields.ts';
import { type Route, route } from '../api/route.ts';
import type { PlatformContext } from '../context.ts';
import { checkItem, checkStorage, sizeOf } from '../knowledge-storage.ts';
import type { KnowledgeItem } from '../state/records.ts';

const fields = {
  name: name.exactOptional(),
  content: z.string().exactOptional(),
  url: webAddress.exactOptional(),
  urls: z.array(webAddress).max(10_000).exactOptional(),
  isActive: z.boolean().exactOptional(),
};
const type = z.enum(['TEXT', 'FILE', 'URL']);

type Settings = Fields & Partial<Pick<KnowledgeItem, 'name' | 'content' | 'url' | 'urls' | 'isActive'>>;
const create: z.ZodType<Settings & Pick<KnowledgeItem, 'type'>> = z.looseObject({ type, ...fields });
const update: z.ZodType<Settings> = z.looseObject({ type: type.exactOptional(), ...fields });
const addUrl: z.ZodType<Pick<Settings, 'url' | 'urls'>> = z.looseObject({ url: fields.url, urls: fields.urls });
export const activation: z.ZodType<Fields & { isActive?: boolean | undefined }> = z.looseObject({
  id: idField.exactOptional(),
  isActive: z.boolean().exactOptional(),
});

/** What agents know. */
export function knowledgeBaseRoutes({ state, tier }: PlatformContext): Route[] {
  const { knowledge } = state;
  const keep = (item: KnowledgeItem): KnowledgeItem => {
    checkItem(item);
    const sized = { ...item, sizeBytes: sizeOf(item) };
    checkStorage(knowledge, tier, sized);
    return knowledge.put(sized);
  };
  return [
    route({
      operation: 'knowledgeBase.create',
      method: 'POST',
      path: '/v1/voice-agents/knowledge-base',
      about: 'Create an item: TEXT, FILE or URL.',
      body: create,
      answer: knowledgeItem,
      handle: ({ body }) => {
        const preset = { name: body.type, urls: [], isActive: true, sizeBytes: 0 };
        return keep(state.make({ ...preset, ...body }));
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
