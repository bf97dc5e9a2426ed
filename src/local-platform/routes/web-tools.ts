import { z } from 'zod';
import { listOf, toolResult, webTool } from '../api/answers.ts';
import { type Fields, idField, name, pageOf, pageQuery, params, requireText, text, webAddress } from '../api/fields.ts';
import { type Route, route } from '../api/route.ts';
import type { PlatformContext } from '../context.ts';
import type { WebTool } from '../state/records.ts';
import { type CallableTool, callWebTool, TOOL_METHODS } from '../web-tools.ts';
import { activation } from './knowledge-base.ts';

const method = z.string().toUpperCase().pipe(z.enum(TOOL_METHODS));
const header = z.looseObject({ name: z.string().min(1).max(256), value: z.string().max(8192) });
const fields = {
  description: text.exactOptional(),
  url: webAddress.exactOptional(),
  method: method.exactOptional(),
  headers: z.array(header).max(100).exactOptional(),
  isActive: z.boolean().exactOptional(),
  parameters: z.unknown().exactOptional(),
};

type Settings = Fields & Partial<Pick<WebTool, 'description' | 'url' | 'method' | 'headers' | 'isActive'>>;
export const createTool: z.ZodType<Settings & { name: string }> = z.looseObject({ name, ...fields });
export const updateTool: z.ZodType<Settings> = z.looseObject({ name: name.exactOptional(), ...fields });
const test: z.ZodType<Settings & { params?: Fields | undefined }> = z.looseObject({
  id: idField.exactOptional(),
  name: name.exactOptional(),
  ...fields,
  params: params.exactOptional(),
});

const PRESET = { url: '', method: 'GET', headers: [], isActive: true } as const;

/** Web APIs that agents call. */
export function webToolRoutes({ state, outbound, clock }: PlatformContext): Route[] {
  const { webTools } = state;
  return [
    route({
      operation: 'webTools.create',
      method: 'POST',
      path: '/v2/web-tool',
      about: 'Create a web tool.',
      body: createTool,
      answer: webTool,
      handle: ({ body }) => webTools.put(state.make({ ...PRESET, ...body })),
    }),
    route({
      operation: 'webTools.list',
      method: 'GET',
      path: '/v2/web-tool/list',
      about: 'List the web tools.',
      query: pageQuery,
      answer: listOf(webTool),
      handle: ({ query }) => pageOf(webTools.all(), query, ['name', 'method', 'isActive']),
    }),
    route({
      operation: 'webTools.update',
      method: 'PATCH',
      path: '/v2/web-tool/{id}',
      about: 'Change a web tool.',
      body: updateTool,
      answer: webTool,
      handle: ({ id, body }) => webTools.put(state.change(webTools.get(id), body)),
    }),
    route({
      operation: 'webTools.test',
      method: 'POST',
      path: '/v1/voice-agents/web-tool/test-api-tool',
      about: 'Call a web tool, stored (by its id) or not.',
      body: test,
      answer: toolResult,
      handle: ({ body, signal }) => {
        const { params: given = {}, ...described } = body;
        const id = body['id'];
        const tool: CallableTool =
          typeof id === 'string'
            ? webTools.get(id)
            : { name: 'test', ...PRESET, ...described, url: requireText(body, 'url', 'id') };
        return callWebTool(outbound, clock, tool, given, signal);
      },
    }),
    route({
      operation: 'webTools.toggleActivation',
      method: 'POST',
      path: '/v1/voice-agents/web-tool/toggle-activation',
      about: 'Activate or deactivate a web tool.',
      body: activation,
      answer: webTool,
      handle: ({ body }) => {
        const tool = webTools.get(requireText(body, 'id'));
        return webTools.put(state.change(tool, { isActive: body.isActive ?? !tool.isActive }));
      },
    }),
  ];
}
