// Plain English in comments, test names, log messages and documents: phrases and vague names, with replacements.

import { globSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { describe, expect, test } from 'vitest';
import { source } from './test-imports.ts';
import { type Piece, piecesOf } from './test-text.ts';

const project = path.resolve(source, '..');

interface Rule {
  readonly phrase: RegExp;
  readonly instead: string;
}

/** Phrases in comments, test names and log messages. Code spans in backticks are exempt. */
const banned: readonly Rule[] = [
  {
    phrase: /(?:^|[.:;!?] )(?:What|Who|Whoever|Whatever|Whose|Whichever) [a-z]\w*/,
    instead: 'begin with a noun of the code: "The part that ..."',
  },
  { phrase: /\bwhat\b(?! if\b)/i, instead: 'the noun that it stands for: the fields, the value, the cause' },
  {
    phrase: /\b(?:whoever|whatever|whichever)\b/i,
    instead: 'the noun: the user, the client; "regardless of ...", "any ..."',
  },
  { phrase: /\b(?:some|every|no|any)body\b/i, instead: 'the user, the client, another writer, no one component' },
  { phrase: /\b(?:someone|everyone|anyone|no one)\b/i, instead: 'the user, the client, another writer' },
  { phrase: /\b(?:is|are|was|were|be|been) told\b/i, instead: '"gets", "is reported"' },
  { phrase: /\btell(?:s|ing)?\b/i, instead: '"reports", "distinguishes", "shows"' },
  { phrase: /\b(?:is|are|was|were|been) asked\b/i, instead: '"is called", "is requested", "gets a request"' },
  { phrase: /\bunder way\b/i, instead: '"in progress", "pending", "open"' },
  { phrase: /\b(?:is|are|was|were) not there\b/i, instead: '"is missing", "does not exist"' },
  { phrase: /\bin any case\b/i, instead: '"always", "even if ..."' },
  {
    phrase: /(?:^|[.:;!?] )(?:By|To|In|For|On|From|With|Of|At) (?:which|whom)\b/,
    instead: 'begin with a noun of the code: "The name by which ..."',
  },
  { phrase: /\b(?:hears?|unheard)\b/i, instead: '"receives", "gets", "is notified of"' },
  { phrase: /\blet(?:s|ting)? (?:\w+ )?go\b/i, instead: '"release", "close", "remove"' },
  { phrase: /\banew\b/i, instead: '"again"' },
  { phrase: /\bg(?:ive|ives|ave|iven|iving) back\b/i, instead: '"return", "release"' },
  { phrase: /\bmak(?:e|es|ing) room\b/i, instead: '"free space", "evict"' },
  { phrase: /\bdoom(?:ed|s)?\b/i, instead: '"marked for deletion"' },
  { phrase: /\bforg[eo]t(?:s|ten|ting)?\b/i, instead: '"drop", "evict"' },
  { phrase: /\b(?:ours|theirs)\b/i, instead: 'the noun: "this process", "the API\'s copy"' },
  { phrase: /\bfor good\b/i, instead: '"permanently"' },
  {
    phrase: /\bof (?:its|their|his|our) own(?=$|[.,:;)]| (?:and|for|in|so|that|to|where|which|with)\b)/i,
    instead: '"separate", "own"',
  },
  { phrase: /\b(?:says?|said) so\b/i, instead: '"reports it", "requests it"' },
  { phrase: /\basks? of\b/i, instead: '"requests", "requires"' },
  { phrase: /\blesser\b/i, instead: '"lower"' },
  { phrase: /\bforesaw\b/i, instead: '"unexpected", "unhandled"' },
];

/** Names of values: `known` is cached, existing, previous or recorded; `isKnown` is supported, current or in use. */
const bannedNames: readonly Rule[] = [
  {
    phrase:
      /\b(?:const|let|readonly) (?:known|thing|things|what)\b|#known\b|\b(?:is|are)Known\b|\bknown[A-Z]|\[(?:\w+, )*known\b|\(\[?(?:, )?known\]?\) =>/,
    instead: 'a name that says which: cached, existing, previous, recorded, matched, desired',
  },
];

/** Rooms whose words are not yet put right. */
const stillToDo: readonly string[] = [];

const files = globSync('{src,test,bench,scripts}/**/*.{ts,tsx}', { cwd: project }).filter(
  (file) => !file.includes('generated/') && file !== 'src/words.test.ts',
);

const documents = globSync('{*,docs/*}.md', { cwd: project });

/** A string that names a test or a group of tests. */
/** The names of tests, of their groups, and of the rows of their tables. */
const isTestName = ({ before, text, after }: Piece): boolean =>
  /(?:\b(?:test|describe)(?:\.\w+)*\(|\]\)\(|\bcase:)\s*$/.test(before) ||
  (/\n\s*\[\s*$/.test(before) && text.includes(' ')) ||
  (/\w\(\s*$/.test(before) && /^,\s*(?:async\s*)?(?:\(\)|\w+) ?=>/.test(after));
const isLogMessage = ({ before }: Piece): boolean => /logger\??\.(?:debug|info|warn|error)\(\s*$/.test(before);

/** The words of a comment, without its marks, code spans and addresses. */
const wordsOf = (text: string): string =>
  text
    .replace(/^\s*(?:\/\/|\/\*\*?|\*\/|\*)[ \t]?/gm, '')
    .replace(/`[^`]*`|https?:\/\/\S+|"[^"\n]*"/g, '``')
    .replace(/\s+/g, ' ')
    .trim();

function phrasesIn(words: string, at: string): string[] {
  return banned.flatMap(({ phrase, instead }) => {
    const match = phrase.exec(words)?.[0].trim();
    return match ? [`${at}: "${match}": write ${instead}`] : [];
  });
}

function faultsOf(file: string, text: string): string[] {
  const found: string[] = [];
  const isTest = /\.(?:test|contract)\.ts$/.test(file);
  for (const piece of piecesOf(text)) {
    const isChecked = piece.kind === 'comment' || (isTest && isTestName(piece)) || isLogMessage(piece);
    const words = isChecked ? wordsOf(piece.text.replace(/^['"`]|['"`]$/g, '')) : '';
    found.push(...phrasesIn(words, `${file}:${piece.line}`));
  }
  for (const [index, line] of text.split('\n').entries())
    for (const { phrase, instead } of bannedNames) {
      const match = phrase.exec(line)?.[0];
      if (match) found.push(`${file}:${index + 1}: "${match}": write ${instead}`);
    }
  return found;
}

test('comments, test names, log messages and names of values are plain', () => {
  const wrong = files
    .filter((file) => !stillToDo.some((room) => file.startsWith(room)))
    .flatMap((file) => faultsOf(file, readFileSync(path.join(project, file), 'utf8')));
  expect(wrong).toEqual([]);
});

test.each(documents)('%s is plain', (file) => {
  const lines = readFileSync(path.join(project, file), 'utf8')
    .replace(/^```.*?^```/gms, (block) => block.replace(/[^\n]/g, ''))
    .split('\n');
  expect(lines.flatMap((line, index) => phrasesIn(wordsOf(line), `${file}:${index + 1}`))).toEqual([]);
});

describe('the check', () => {
  test.each([
    ['// What a fold needs.', 'src/a.ts:1: "What a": write begin with a noun'],
    ['/** Kept.\n * It is told\n * of each. */', 'src/a.ts:1: "is told": write "gets"'],
    ["logger.warn('nobody listens')", 'src/a.ts:1: "nobody": write the user'],
    ['const known = 1;', 'src/a.ts:1: "const known": write a name that says which'],
  ])('finds %j', (text, fault) => expect(faultsOf('src/a.ts', text)).toContainEqual(expect.stringContaining(fault)));
  test.each(['// The part that folds use.', '// `forget` drops the key.', "const text = 'nobody';", 'known.add(1);'])(
    'passes %j',
    (text) => expect(faultsOf('src/a.ts', text)).toEqual([]),
  );
  test.each([
    "test('somebody else', () => {});",
    "onLinux('somebody else', async () => {});",
    "test.each([{ case: 'somebody else' }]);",
    "test.each([\n  ['somebody else', 1],\n]);",
  ])('checks names of tests: %j', (text) => expect(faultsOf('src/a.test.ts', text)).toHaveLength(1));
});
