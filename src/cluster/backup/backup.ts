// The door for commands that make, look at and restore backups.

export { type Decryption, pack as packBackup } from '../../store/store.ts';
export { chooseBackup } from './choose.ts';
export { type BackupSource, backupBytes } from './content.ts';
export { type Inspection, inspectBackup } from './inspect.ts';
export { isFolder, openFolder, openPlace, type PlaceOptions } from './place.ts';
export { type Loss, type PreparedRestore, prepareRestore } from './restore.ts';
export { readSettings, startCommand } from './saved-settings.ts';
export { withStoppedStore } from './stopped.ts';
export type { RestoreTarget } from './target.ts';
