// The YAML editor: CodeMirror with the schemas of the server. Loaded when a view edits.

import {
  autocompletion,
  type CompletionContext,
  type CompletionResult,
  closeBrackets,
  completionKeymap,
} from '@codemirror/autocomplete';
import { defaultKeymap, history, historyKeymap, indentWithTab } from '@codemirror/commands';
import { yaml } from '@codemirror/lang-yaml';
import {
  bracketMatching,
  foldGutter,
  foldKeymap,
  HighlightStyle,
  indentOnInput,
  syntaxHighlighting,
} from '@codemirror/language';
import { type Diagnostic, linter, lintGutter } from '@codemirror/lint';
import { highlightSelectionMatches, searchKeymap } from '@codemirror/search';
import { EditorState } from '@codemirror/state';
import { drawSelection, EditorView, highlightActiveLine, keymap, lineNumbers } from '@codemirror/view';
import { tags } from '@lezer/highlight';
import { keyOfLine, pathAtLine } from '../model/schema.ts';
import { styleNonce } from '../nonce.ts';
import { faultsOf } from './faults.ts';
import { type KindSchema, schemaOfText } from './schemas.ts';

export interface CodeEditor {
  text(): string;
  focus(): void;
  destroy(): void;
}

export interface EditorOptions {
  readonly parent: HTMLElement;
  readonly text: string;
  readonly label: string;
  /** Its keys, for screen readers. */
  readonly hint: string;
  onChange(text: string): void;
  onSave(): void;
}

const colours = HighlightStyle.define([
  { tag: [tags.propertyName, tags.definition(tags.propertyName)], color: 'var(--accent)' },
  { tag: [tags.string, tags.special(tags.string)], color: 'var(--text)' },
  { tag: [tags.number, tags.bool, tags.null, tags.keyword], color: 'var(--busy)' },
  { tag: [tags.comment, tags.meta], color: 'var(--muted)', fontStyle: 'italic' },
  { tag: tags.invalid, color: 'var(--bad)' },
]);

const look = EditorView.theme({
  '&': { height: '100%', fontSize: '12.5px', color: 'var(--text)', backgroundColor: 'var(--surface)' },
  '.cm-scroller': { fontFamily: 'var(--mono)', lineHeight: '1.6' },
  '.cm-content': { caretColor: 'var(--text)', padding: '10px 0' },
  '.cm-gutters': { backgroundColor: 'var(--surface)', color: 'var(--muted)', border: 'none' },
  '.cm-activeLine': { backgroundColor: 'color-mix(in srgb, var(--hover) 60%, transparent)' },
  '.cm-cursor': { borderLeftColor: 'var(--text)' },
  '&.cm-focused': { outline: 'none' },
  '&.cm-focused .cm-selectionBackground, .cm-selectionBackground': { backgroundColor: 'var(--accent-soft) !important' },
  '.cm-tooltip': { backgroundColor: 'var(--surface)', border: '1px solid var(--line)', borderRadius: '8px' },
  '.cm-tooltip-autocomplete ul li[aria-selected]': { backgroundColor: 'var(--accent-soft)', color: 'var(--text)' },
  '.cm-completionInfo': { maxWidth: '420px', padding: '8px 10px', whiteSpace: 'pre-wrap' },
  '.cm-panels': { backgroundColor: 'var(--sunken)', color: 'var(--text)' },
  '.cm-searchMatch': { backgroundColor: 'var(--busy-soft)' },
});

export function createEditor({ parent, text, label, hint, onChange, onSave }: EditorOptions): CodeEditor {
  const view = new EditorView({
    parent,
    state: EditorState.create({
      doc: text,
      extensions: [
        EditorView.cspNonce.of(styleNonce()),
        ...[lineNumbers(), foldGutter(), history(), drawSelection(), highlightActiveLine()],
        ...[indentOnInput(), bracketMatching(), closeBrackets(), highlightSelectionMatches(), lintGutter()],
        keymap.of([
          { key: 'Mod-s', preventDefault: true, run: () => saved(onSave) },
          ...[...completionKeymap, ...defaultKeymap, ...historyKeymap, ...searchKeymap, ...foldKeymap],
          indentWithTab,
        ]),
        yaml(),
        syntaxHighlighting(colours),
        autocompletion({ override: [complete] }),
        linter(async (view): Promise<Diagnostic[]> => faultsOf(view.state.doc.toString())),
        EditorView.contentAttributes.of({ 'aria-label': label, 'aria-description': hint, tabindex: '0' }),
        EditorView.updateListener.of(({ docChanged, state }) => {
          if (docChanged) onChange(state.doc.toString());
        }),
        look,
      ],
    }),
  });
  return {
    text: () => view.state.doc.toString(),
    focus: () => view.focus(),
    destroy: () => view.destroy(),
  };
}

function saved(onSave: () => void): true {
  onSave();
  return true;
}

async function complete(context: CompletionContext): Promise<CompletionResult | null> {
  const { state, pos, explicit } = context;
  const line = state.doc.lineAt(pos);
  const word = context.matchBefore(/[\w-]*/);
  if (!word || (word.from === word.to && !explicit)) return null;
  const text = state.doc.toString();
  const lines = text.split('\n');
  const schema = await schemaOfText(text, line.number - 1);
  if (!schema) return null;
  const before = line.text.slice(0, word.from - line.from);
  const path = pathAtLine(lines, line.number - 1);
  const key = keyOfLine(`${before} `);
  return key ? valuesFor(schema, [...path, key], word.from) : fieldsFor(schema, path, before, word.from);
}

function valuesFor({ document, root }: KindSchema, path: readonly string[], from: number): CompletionResult | null {
  const values = document.valuesAt(root, path);
  return values.length > 0 ? { from, options: values.map((label) => ({ label, type: 'enum' })) } : null;
}

function fieldsFor({ document, root }: KindSchema, path: readonly string[], before: string, from: number) {
  if (!/^[\s-]*$/.test(before)) return null;
  const indent = before.replace(/-/g, ' ');
  const after: Readonly<Record<string, string>> = { object: `:\n${indent}  `, list: `:\n${indent}- ` };
  return {
    from,
    options: document.propertiesAt(root, path).map(({ name, type, description, isRequired }) => ({
      label: name,
      detail: type,
      info: description,
      type: 'property',
      apply: name + (after[type] ?? ': '),
      boost: isRequired ? 2 : 0,
    })),
  };
}
