import type { Endpoint, FieldKind } from '../platform/rest/endpoint.ts';
import { ALL_ENDPOINTS } from '../platform/rest/endpoints.ts';
import { endpointsOf, flagsOf, kebab } from './api-arguments.ts';

const VALUES: Readonly<Record<FieldKind, string>> = {
  text: 'TEXT',
  number: 'NUMBER',
  flag: 'true|false',
  list: 'A,B,…',
  json: 'JSON|@FILE',
  base64: 'FILE',
};

const COMMON: Readonly<Record<string, readonly [string, string]>> = {
  data: ['--data JSON|@FILE', 'the whole request as an object; flags win over it'],
  json: ['--json', 'print the answer as one line of JSON'],
  once: ['--once NAME', 'do it once: given the same name again within 24 hours, print the result that is kept'],
  wait: ['--wait', 'wait until the job is done; exit 1 if it fails'],
  out: ['--out FILE', 'write the audio to a file; else to standard output'],
  config: ['--config FILE', 'settings file'],
  help: ['--help', 'this text'],
};

const LEFT_CHARACTERS = 28;
const RIGHT_CHARACTERS = 88;

/** Two columns, of which the right one goes on below. */
function line(left: string, right: string): string {
  const lines = [''];
  for (const word of right.split(' ')) {
    const longer = `${lines.at(-1)} ${word}`.trim();
    if (longer.length <= RIGHT_CHARACTERS) lines[lines.length - 1] = longer;
    else lines.push(word);
  }
  return lines.map((text, i) => `  ${(i === 0 ? left : '').padEnd(LEFT_CHARACTERS)}  ${text}`.trimEnd()).join('\n');
}

/** All resources. */
export function generalHelp(): string {
  const groups = [...new Set(ALL_ENDPOINTS.map(({ group }) => group))];
  return [
    'usage: hamsa-gateway api RESOURCE VERB [ID] [--FIELD VALUE …] [--data JSON|@FILE] [--json]',
    '',
    'The REST API of the platform. HAMSA_API_KEY (environment or settings file) is the key; HAMSA_BASE_URL its address.',
    'Exits 0 when it was done, 1 when it was refused or failed, 2 when the command is wrong, 130 when interrupted.',
    '',
    ...groups.map((group) =>
      line(
        kebab(group),
        endpointsOf(kebab(group))
          .map(({ verb }) => kebab(verb))
          .join(' '),
      ),
    ),
    '',
    "'hamsa-gateway api RESOURCE VERB --help' tells what a verb does and takes. 'extras' are not in the platform's guide.",
    '',
  ].join('\n');
}

/** The verbs of one resource. */
export function resourceHelp(resource: string): string {
  const verbs = endpointsOf(resource).map((endpoint) =>
    line(`${kebab(endpoint.verb)}${idOf(endpoint)}`, endpoint.about),
  );
  return [`usage: hamsa-gateway api ${resource} VERB …`, '', ...verbs, ''].join('\n');
}

/** One verb. */
export function verbHelp(endpoint: Endpoint): string {
  const { group, verb, method, path, about, fields } = endpoint;
  const common = Object.keys({ ...flagsOf(endpoint), config: '' }).flatMap((flag) => {
    const told = COMMON[flag];
    return told === undefined ? [] : [line(...told)];
  });
  return [
    `usage: hamsa-gateway api ${kebab(group)} ${kebab(verb)}${idOf(endpoint)} [--FIELD VALUE …]`,
    '',
    `${about}  (${method} ${path})`,
    '',
    ...Object.entries(fields).map(([field, kind]) => line(`--${kebab(field)} ${VALUES[kind]}`, '')),
    ...common,
    '',
  ].join('\n');
}

function idOf({ id }: Endpoint): string {
  if (id === undefined) return '';
  return id.in === 'body' ? ' [ID]' : ' ID';
}
