// The options of scheduled backups.

import path from 'node:path';
import { setting } from './setting.ts';
import { httpUrl, list, schedule, wholeNumber } from './setting-values.ts';

export const backupSettings = {
  backupSchedule: setting<string | undefined>({
    flag: 'backup-schedule',
    argument: '<cron>',
    help: "when to make backups, such as '0 3 * * *' (UTC, unless it begins with TZ=<zone>); needs --backup-to",
    default: undefined,
    read: schedule,
  }),
  backupTo: setting<string | undefined>({
    flag: 'backup-to',
    argument: '<place>',
    help: 'directory, or s3://BUCKET/PREFIX, for scheduled backups',
    default: undefined,
    read: (value) => (value.startsWith('s3://') ? value : path.resolve(value)),
  }),
  backupKeep: setting({
    flag: 'backup-keep',
    argument: '<n>',
    help: 'number of scheduled backups to keep',
    default: 7,
    read: wholeNumber(1, 10_000),
  }),
  backupRecipients: setting<readonly string[]>({
    flag: 'backup-recipients',
    argument: '<keys>',
    help: 'public keys of age (age1...) for which scheduled backups are encrypted, separated by commas',
    default: [],
    read: list,
  }),
  s3Endpoint: setting<string | undefined>({
    flag: 's3-endpoint',
    argument: '<url>',
    help: 'S3 server for --backup-to s3://...; by default AWS',
    default: undefined,
    read: httpUrl,
  }),
};
