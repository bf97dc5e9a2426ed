import type { HeaderField } from '../../sip/message.ts';

const MAX_PARAMETERS = 32;
const MAX_VALUE_CHARACTERS = 1_000;
/** Longest name that is a field of a form rather than an attack. */
const NAME = /^x-([a-z0-9][a-z0-9-]{0,63})$/;

/**
 * What the caller's side says of a call in header fields of its own: `X-Customer-Id: 7` is `{customer_id: '7'}`, a name
 * that an agent's `{{placeholder}}` can have. The first of a name counts.
 *
 * @param fields - of the INVITE, with names in lower case.
 * @returns undefined if there is none.
 */
export function callParameters(fields: readonly HeaderField[]): Readonly<Record<string, string>> | undefined {
  const parameters = new Map<string, string>();
  for (const { name, value } of fields) {
    const own = NAME.exec(name)?.[1]?.replaceAll('-', '_');
    if (own === undefined || parameters.has(own) || parameters.size >= MAX_PARAMETERS) continue;
    parameters.set(own, value.slice(0, MAX_VALUE_CHARACTERS));
  }
  return parameters.size === 0 ? undefined : Object.fromEntries(parameters);
}
