import { z } from 'zod';
import type { Route } from './route.ts';

type Json = Readonly<Record<string, unknown>>;

const FAILURE = z.object({
  success: z.literal(false),
  error: z.object({
    code: z.string().describe('Part of the platform and status in one: 10404.'),
    message: z.string(),
    details: z.record(z.string(), z.unknown()),
  }),
});

const REFUSALS: Readonly<Record<number, string>> = {
  400: 'Request validation failed (10400).',
  401: 'Invalid or missing API key (10403).',
  404: 'The resource does not exist (10404).',
  429: 'Too many requests (10429); Retry-After tells when to come again.',
  500: 'Server error.',
  503: 'Too much waits.',
};

const RATE_HEADERS: readonly (readonly [string, string])[] = [
  ['X-RateLimit-Limit', 'Requests a minute.'],
  ['X-RateLimit-Remaining', 'Requests left of them.'],
  ['X-RateLimit-Reset', 'When the count starts anew, in seconds since 1970.'],
];

/** The OpenAPI 3.1 document of `routes`, made from the schemas that validate their requests. */
export function openApiDocument(routes: readonly Route[]): Json {
  const paths: Record<string, Record<string, Json>> = {};
  for (const route of routes) {
    paths[route.path] = { ...paths[route.path], [route.method.toLowerCase()]: operationOf(route) };
  }
  return {
    openapi: '3.1.0',
    info: {
      title: 'Hamsa, as the local platform of hamsa-gateway serves it',
      version: '1.0.0',
      description:
        'Operations with the tag `extras` are not in the platform’s guide. Unknown fields are accepted everywhere.',
    },
    servers: [{ url: '/' }],
    security: [{ token: [] }, { key: [] }],
    paths,
    components: {
      securitySchemes: {
        token: { type: 'apiKey', in: 'header', name: 'Authorization', description: '`Token KEY` or `Bearer KEY`.' },
        key: { type: 'apiKey', in: 'header', name: 'X-Api-Key' },
      },
      headers: Object.fromEntries(
        RATE_HEADERS.map(([name, description]) => [name, { description, schema: { type: 'string' } }]),
      ),
      schemas: { Failure: schemaOf(FAILURE, 'output') },
      responses: Object.fromEntries(
        Object.entries(REFUSALS).map(([status, description]) => [
          `Refusal${status}`,
          { description, headers: headers(), content: json({ $ref: '#/components/schemas/Failure' }) },
        ]),
      ),
    },
  };
}

function operationOf(route: Route): Json {
  const { operation, about, path, body, query, answer, method, isExtra } = route;
  const parameters = [...(path.includes('{id}') ? [ID] : []), ...(query === undefined ? [] : parametersOf(query))];
  const hasBody = body !== undefined && (method === 'POST' || method === 'PATCH');
  const content =
    answer === 'audio' ? { 'audio/wav': { schema: { type: 'string', format: 'binary' } } } : json(envelopeOf(answer));
  return {
    operationId: operation,
    tags: [isExtra ? 'extras' : operation.split('.', 1)[0]],
    summary: about,
    ...(parameters.length > 0 && { parameters }),
    ...(hasBody && { requestBody: { content: json(schemaOf(body, 'input')) } }),
    responses: {
      200: { description: 'It was done.', headers: headers(), content },
      ...Object.fromEntries(
        Object.keys(REFUSALS).map((status) => [status, { $ref: `#/components/responses/Refusal${status}` }]),
      ),
    },
  };
}

const ID: Json = { name: 'id', in: 'path', required: true, schema: { type: 'string' } };

function parametersOf(query: z.ZodType): Json[] {
  const { properties = {}, required = [] } = schemaOf(query, 'input') as { properties?: Json; required?: string[] };
  return Object.entries(properties).map(([name, schema]) => ({
    name,
    in: 'query',
    required: required.includes(name),
    schema,
  }));
}

function envelopeOf(answer: z.ZodType): Json {
  return {
    type: 'object',
    properties: { success: { const: true }, data: schemaOf(answer, 'output') },
    required: ['success', 'data'],
    additionalProperties: false,
  };
}

function schemaOf(schema: z.ZodType, io: 'input' | 'output'): Json {
  const { $schema: _, ...rest } = z.toJSONSchema(schema, { io, unrepresentable: 'any' });
  return rest;
}

function json(schema: Json): Json {
  return { 'application/json': { schema } };
}

function headers(): Json {
  return Object.fromEntries(RATE_HEADERS.map(([name]) => [name, { $ref: `#/components/headers/${name}` }]));
}
