import { ok } from './answers.ts';
import type { Collection } from './state.ts';
import type { Answer, JsonObject, RequestContext } from './types.ts';
import { requireBody, requireReferred } from './validate.ts';

/**
 * The two toggle-activation rows of sections "Knowledge Base" and "Web Tools". The guide shows
 * neither body nor answer and no name for the state. The item is found by its id under any name;
 * a boolean in the body is stored under the name it was sent with. Without a boolean, every
 * boolean that an earlier toggle stored is inverted, and an item that has none stays as it is,
 * because the server is not to answer a field that the guide doesn't show.
 */
export function toggleActivation(items: Collection, what: string): (context: RequestContext) => Answer {
  const toggled = new Map<string, ReadonlySet<string>>();
  return (context) => {
    const body = requireBody(context);
    const item = requireReferred(context, (text) => items.find(text), what);
    const sent = Object.entries(body).filter(([, value]) => typeof value === 'boolean');
    const known = toggled.get(item.id) ?? new Set<string>();
    const changes: JsonObject =
      sent.length > 0
        ? Object.fromEntries(sent)
        : Object.fromEntries([...known].map((name) => [name, item[name] !== true]));
    toggled.set(item.id, new Set([...known, ...sent.map(([name]) => name)]));
    return ok(items.update(item.id, changes));
  };
}
