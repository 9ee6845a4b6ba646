// The editor as a component. Its text belongs to CodeMirror; `initial` counts once.

import { useEffect, useRef } from 'preact/hooks';
import { t } from '../text.ts';
import { reportError } from '../ui/toasts.tsx';
import type { CodeEditor } from './code-editor.ts';

interface Props {
  readonly initial: string;
  readonly label: string;
  onChange(text: string): void;
  onSave(): void;
}

export function Editor({ initial, label, onChange, onSave }: Props) {
  const parent = useRef<HTMLDivElement>(null);
  const latest = useRef({ onChange, onSave });
  latest.current = { onChange, onSave };
  const first = useRef(initial);
  useEffect(() => {
    let editor: CodeEditor | undefined;
    let isGone = false;
    void import('./code-editor.ts').then(({ createEditor }) => {
      if (isGone || !parent.current) return;
      editor = createEditor({
        ...{ parent: parent.current, text: first.current, label, hint: t('editorKeys') },
        onChange: (text) => latest.current.onChange(text),
        onSave: () => latest.current.onSave(),
      });
      editor.focus();
    }, reportError);
    return () => {
      isGone = true;
      editor?.destroy();
    };
  }, [label]);
  return <div ref={parent} class="editor" title={t('editorKeys')} />;
}
