/**
 * The last gate before anything is printed, sent to an event reader or put into an error: it removes every secret the
 * process knows, in each spelling in which it can travel, and everything that stands where secrets usually stand.
 *
 * The registry belongs to the process on purpose: code that has no reference to the settings must not be able to leak.
 */
export const REDACTED = '[redacted]';

/** Shorter values (such as the local platform's `local`) are words, not secrets: removing them would garble the text. */
const MIN_SECRET_CHARACTERS = 8;

const spellings = new Set<string>();
let pattern: RegExp | undefined;

/** Query parameters and headers that carry credentials, whoever's they are. */
const CREDENTIAL_PLACES: readonly RegExp[] = [
  /([?&](?:api_key|apikey|access_token|token|key)=)[^&\s"'\\#]+/gi,
  /((?:proxy-)?authorization["']?\s*[:=]\s*["']?(?:(?:token|bearer|basic)\s+)?)[^\s"',;}\\]+/gi,
  /(x-api-key["']?\s*[:=]\s*["']?)[^\s"',;}\\]+/gi,
  /(\/\/[^/\s:@"']*:)[^/\s@"']+(?=@)/g,
  // Session tokens, which are too many and too short-lived to be registered.
  /(hgs_)[\w-]{43}/g,
];

/** Remembers `value` so that {@link redact} removes it from now on: as it is, URL-encoded, JSON-escaped and in base64. */
export function registerSecret(value: string): void {
  if (value.length < MIN_SECRET_CHARACTERS) return;
  spellings.add(value);
  spellings.add(encodeURIComponent(value));
  spellings.add(JSON.stringify(value).slice(1, -1));
  spellings.add(Buffer.from(value).toString('base64').replace(/=+$/, ''));
  const longestFirst = [...spellings].sort((a, b) => b.length - a.length);
  pattern = new RegExp(longestFirst.map((text) => text.replace(/[.*+?^${}()|[\]\\]/g, '\\$&')).join('|'), 'g');
}

/** `text` without the secrets that are registered, and otherwise as it is. */
export function removeSecrets(text: string): string {
  return pattern ? text.replace(pattern, REDACTED) : text;
}

/** `text` without any secret. */
export function redact(text: string): string {
  let clean = removeSecrets(text);
  for (const place of CREDENTIAL_PLACES) clean = clean.replace(place, `$1${REDACTED}`);
  return clean;
}
