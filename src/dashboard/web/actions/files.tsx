// Copies files out of a container, and into it.

import { useSignal } from '@preact/signals';
import { useEffect, useRef } from 'preact/hooks';
import { type CopyPlace, copyIn, copyOut, mostBytes } from '../api/copy-files.ts';
import { bytesText } from '../model/amounts.ts';
import { type Archive, safeName, type TarFile, writeTar } from '../model/tar.ts';
import { t } from '../text.ts';
import { Dialog, openDialog } from '../ui/dialogs.tsx';
import { download } from '../ui/download.ts';
import { Icon } from '../ui/icons.tsx';
import { report, reportError } from '../ui/toasts.tsx';

export const askForFiles = (place: CopyPlace): void => openDialog(() => <FilesDialog place={place} />);

/** Names that the dialog lists. */
const most = 200;

function FilesDialog({ place }: { place: CopyPlace }) {
  const stop = useRef(new AbortController());
  useEffect(() => () => stop.current.abort(new Error('the dialog was closed')), []);
  return (
    <Dialog title={t('filesTitle', { container: place.container })}>
      <p class="muted">{t('filesLead')}</p>
      <CopyOut place={place} signal={() => stop.current.signal} />
      <CopyIn place={place} signal={() => stop.current.signal} />
    </Dialog>
  );
}

interface Props {
  readonly place: CopyPlace;
  signal(): AbortSignal;
}

function CopyOut({ place, signal }: Props) {
  const path = useSignal('/');
  const progress = useSignal<number | undefined>(undefined);
  const archive = useSignal<Archive | undefined>(undefined);
  const run = async () => {
    archive.value = undefined;
    progress.value = 0;
    try {
      archive.value = await copyOut(place, path.value, (bytes) => (progress.value = bytes), signal());
    } catch (error) {
      if (!signal().aborted) reportError(error);
    }
    progress.value = undefined;
  };
  return (
    <fieldset class="files">
      <legend>{t('copyOut')}</legend>
      <div class="field">
        <input
          class="grow"
          aria-label={t('containerPath')}
          value={path.value}
          spellcheck={false}
          onInput={({ currentTarget }) => (path.value = currentTarget.value)}
          onKeyDown={(event) => {
            if (event.key !== 'Enter') return;
            event.preventDefault();
            void run();
          }}
        />
        <button type="button" disabled={!path.value || progress.value !== undefined} onClick={() => void run()}>
          <Icon name="download" />
          {t('fetch')}
        </button>
      </div>
      {progress.value !== undefined && (
        <p class="muted" role="status">
          {bytesText(progress.value)}
        </p>
      )}
      {archive.value && <Found archive={archive.value} name={nameOf(path.value)} />}
    </fieldset>
  );
}

const nameOf = (path: string): string => path.split('/').filter(Boolean).at(-1) ?? 'root';

function Found({ archive: { files, refused }, name }: { archive: Archive; name: string }) {
  return (
    <>
      {files.length > 1 && (
        <button type="button" onClick={() => download(`${name}.tar`, writeTar(files))}>
          <Icon name="download" />
          {t('downloadAll', { count: files.length })}
        </button>
      )}
      <ul class="file-list">
        {files.slice(0, most).map((file) => (
          <li key={file.name}>
            <button
              type="button"
              class="quiet"
              onClick={() => download(file.name.split('/').at(-1) ?? file.name, [file.bytes])}
            >
              <Icon name="download" />
              <span>{file.name}</span>
            </button>
            <span class="muted">{bytesText(file.bytes.length)}</span>
          </li>
        ))}
        {files.length > most && <li class="muted">{t('andMore', { count: files.length - most })}</li>}
        {files.length === 0 && <li class="muted">{t('noFiles')}</li>}
      </ul>
      {refused.length > 0 && (
        <div class="notice busy">
          {t('filesRefused', { count: refused.length })}
          <ul class="names">
            {refused.slice(0, 8).map(({ name: entry, why }, index) => (
              <li key={index}>
                {entry} <span>({t(`filesRefused.${why}`)})</span>
              </li>
            ))}
          </ul>
        </div>
      )}
    </>
  );
}

function CopyIn({ place, signal }: Props) {
  const directory = useSignal('/tmp');
  const files = useSignal<readonly File[]>([]);
  const progress = useSignal<number | undefined>(undefined);
  const total = files.value.reduce((sum, { size }) => sum + size, 0);
  const run = async () => {
    progress.value = 0;
    try {
      if (total > mostBytes) throw new Error(t('filesTooLarge', { most: bytesText(mostBytes) }));
      const read = await Promise.all(files.value.map(tarFile));
      await copyIn(place, directory.value, read, (bytes) => (progress.value = bytes), signal());
      report(t('copiedIn', { count: read.length, directory: directory.value }));
      files.value = [];
    } catch (error) {
      if (!signal().aborted) reportError(error);
    }
    progress.value = undefined;
  };
  return (
    <fieldset class="files">
      <legend>{t('copyIn')}</legend>
      <label class="field">
        {t('containerDirectory')}
        <input
          value={directory.value}
          spellcheck={false}
          onInput={({ currentTarget }) => (directory.value = currentTarget.value)}
        />
      </label>
      <div class="field">
        <input
          type="file"
          multiple
          class="grow"
          aria-label={t('filesChoose')}
          onChange={({ currentTarget }) => (files.value = [...(currentTarget.files ?? [])])}
        />
        <button
          type="button"
          disabled={files.value.length === 0 || !directory.value || progress.value !== undefined}
          onClick={() => void run()}
        >
          {t('send')}
        </button>
      </div>
      {progress.value !== undefined && (
        <p class="muted" role="status">
          {bytesText(progress.value)} / {bytesText(total)}
        </p>
      )}
    </fieldset>
  );
}

async function tarFile(file: File): Promise<TarFile> {
  const name = safeName(file.name);
  if (name === undefined) throw new Error(t('fileNameRefused', { name: file.name }));
  return { name, bytes: new Uint8Array(await file.arrayBuffer()), mode: 0o644, modified: file.lastModified / 1000 };
}
