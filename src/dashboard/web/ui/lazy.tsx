// Pages that are loaded when they are first shown.

import { signal } from '@preact/signals';
import type { FunctionComponent } from 'preact';
import { useEffect } from 'preact/hooks';
import { t } from '../text.ts';

export function lazy<Props extends object>(load: () => Promise<FunctionComponent<Props>>): FunctionComponent<Props> {
  const found = signal<FunctionComponent<Props> | undefined>(undefined);
  const fault = signal('');
  return function Lazy(props: Props) {
    useEffect(() => {
      if (found.value) return;
      load().then(
        (page) => {
          found.value = page;
        },
        (error) => {
          fault.value = String(error);
        },
      );
    }, []);
    const Page = found.value;
    if (Page) return <Page {...props} />;
    return <p class="muted pad">{fault.value || t('loading')}</p>;
  };
}
