import { describe, expect, test } from 'vitest';
import { VirtualClock } from '../machinery/time/clock.ts';
import { Sessions } from './sessions.ts';

const admin = { name: 'admin', groups: ['system:masters'] };
const hour = 3_600_000;
const start = () => {
  const clock = new VirtualClock();
  return { clock, sessions: new Sessions(clock) };
};
const opened = (sessions: Sessions) => sessions.open({ user: admin }, admin.name);

describe('a link', () => {
  test('signs in once', () => {
    const { sessions } = start();
    const { code } = sessions.createLink(admin);
    expect(sessions.redeem(code)?.session.identity).toEqual({ user: admin });
    expect(sessions.redeem(code)).toBeUndefined();
  });

  test('ends after 15 minutes', async () => {
    const { clock, sessions } = start();
    const { code } = sessions.createLink(admin);
    await clock.advance(15 * 60_000);
    expect(sessions.redeem(code)).toBeUndefined();
  });

  test('of another code does not sign in', () => {
    const { sessions } = start();
    sessions.createLink(admin);
    expect(sessions.redeem('')).toBeUndefined();
    expect(sessions.redeem('a'.repeat(43))).toBeUndefined();
  });

  test('beyond a hundred, the oldest end', () => {
    const { sessions } = start();
    const codes = Array.from({ length: 101 }, () => sessions.createLink(admin).code);
    expect(sessions.redeem(codes[0])).toBeUndefined();
    expect(sessions.redeem(codes[1])).toBeDefined();
  });
});

describe('a session', () => {
  test('needs its cookie and its key', () => {
    const { sessions } = start();
    const [a, b] = [opened(sessions), opened(sessions)];
    expect(sessions.find(a.cookie, a.key)).toBe(a.session);
    expect(sessions.find(a.cookie, b.key)).toBeUndefined();
    expect(sessions.find(b.cookie, a.key)).toBeUndefined();
    expect(sessions.find(a.cookie, undefined)).toBeUndefined();
    expect(sessions.find(undefined, a.key)).toBeUndefined();
    expect(sessions.find(a.key, a.cookie)).toBeUndefined();
  });

  test('ends 8 hours after its last use', async () => {
    const { clock, sessions } = start();
    const { cookie, key, session } = opened(sessions);
    await clock.advance(7 * hour);
    expect(sessions.find(cookie, key)).toBe(session);
    await clock.advance(7 * hour);
    expect(sessions.find(cookie, key)).toBe(session);
    await clock.advance(8 * hour);
    expect(sessions.find(cookie, key)).toBeUndefined();
    expect(session.ended.aborted).toBe(true);
  });

  test('ends after a day, and its requests with it', async () => {
    const { clock, sessions } = start();
    const { cookie, key, session } = opened(sessions);
    for (let i = 0; i < 23; i++) {
      await clock.advance(hour);
      expect(sessions.find(cookie, key)).toBe(session);
    }
    await clock.advance(hour);
    expect(session.ended.aborted).toBe(true);
    expect(sessions.find(cookie, key)).toBeUndefined();
  });

  test('ends when the user signs out', () => {
    const { sessions } = start();
    const { cookie, key, session } = opened(sessions);
    sessions.close(cookie);
    expect(session.ended.aborted).toBe(true);
    expect(sessions.find(cookie, key)).toBeUndefined();
  });

  test('beyond a thousand, the oldest ends', () => {
    const { sessions } = start();
    const first = opened(sessions);
    for (let i = 0; i < 1_000; i++) opened(sessions);
    expect(first.session.ended.aborted).toBe(true);
  });
});
