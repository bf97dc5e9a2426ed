import type { FastifyInstance } from 'fastify';

/** Lets web pages of any site call the API, as the vendor's browser SDK does: the key decides, not where a page is from. */
export function allowPages(app: FastifyInstance): void {
  app.addHook('onRequest', async (request, reply) => {
    if (request.headers.origin === undefined) return undefined;
    reply.header('Access-Control-Allow-Origin', '*');
    if (request.method !== 'OPTIONS') return undefined;
    reply.header('Access-Control-Allow-Methods', 'GET, POST, PATCH, DELETE');
    reply.header('Access-Control-Allow-Headers', 'Authorization, Content-Type, X-Api-Key');
    return reply.code(204).send();
  });
}
