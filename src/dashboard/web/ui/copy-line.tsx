// A line to copy: a command for a terminal.

import { t } from '../text.ts';
import { Icon } from './icons.tsx';
import { report, reportError } from './toasts.tsx';

export const CopyLine = ({ text }: { text: string }) => (
  <div class="copy-line">
    <code>{text}</code>
    <button
      type="button"
      class="quiet"
      aria-label={t('copy')}
      title={t('copy')}
      onClick={() => void navigator.clipboard.writeText(text).then(() => report(t('copied')), reportError)}
    >
      <Icon name="copy" />
    </button>
  </div>
);
