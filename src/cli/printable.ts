// Names and messages in the output come from objects, which many users may write: no sequence in them may reach the
// terminal. A program that parses JSON reads the same text, for these are its escapes.

/** Control characters but tab and line feed, and those that turn the direction of text. The colors of the output stay. */
// biome-ignore lint/suspicious/noControlCharactersInRegex: the characters to replace
const unsafe = /\u001b\[(?:[012]|3[12])m|[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u202a-\u202e\u2066-\u2069]/g;

export const printable = (text: string): string =>
  text.replace(unsafe, (found) =>
    found.length > 1 ? found : `\\u${found.charCodeAt(0).toString(16).padStart(4, '0')}`,
  );
