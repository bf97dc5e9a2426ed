import type { FastifyInstance } from 'fastify';
import { successBody } from '../api-error.ts';
import type { PlatformContext } from '../context.ts';
import { readFaults } from '../faults.ts';

/** `/__control/faults`: which faults the platform is to play. No part of the platform's own API. */
export function faultRoutes(app: FastifyInstance, { faults }: PlatformContext): void {
  app.post('/__control/faults', (request) => {
    faults.add(readFaults(request.body));
    return successBody({ waiting: faults.waiting });
  });
  app.get('/__control/faults', () => successBody({ waiting: faults.waiting }));
  app.delete('/__control/faults', () => {
    faults.clear();
    return successBody({ waiting: faults.waiting });
  });
}
