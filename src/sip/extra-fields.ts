import type { HeaderField } from './message.ts';

const OWN = new Set(
  'via from to call-id cseq contact route record-route max-forwards content-length content-type v f t i m l c'.split(
    ' ',
  ),
);

/**
 * Header fields the application adds to a message.
 *
 * @throws TypeError - for one that the user agent sets itself.
 */
export function extraFields(headers: Readonly<Record<string, string>>): HeaderField[] {
  return Object.entries(headers).map(([name, value]) => {
    if (OWN.has(name.toLowerCase())) throw new TypeError(`Expected a header of the application but received '${name}'`);
    return { name, value };
  });
}
