import { describe, expect, it } from 'vitest';

import { Seat } from './seat';

describe('a seat', () => {
  it('that was never taken cannot be come back to', () => {
    expect(new Seat().resume()).toBeUndefined();
  });

  it('is come back to with the newest token and the number of the last event', () => {
    const seat = new Seat();
    seat.note({ seq: 1 });
    expect(seat.enter('me', 't1')).toBe(false);
    for (const event of [{ seq: 2 }, { participantId: 'x' }, undefined, null, 7, { seq: 'x' }, []]) {
      seat.note(event);
    }
    expect(seat.resume()).toEqual({ resumeToken: 't1', lastSeq: 2 });
    seat.renew('t2');
    seat.note({ seq: 3 });
    expect(seat.resume()).toEqual({ resumeToken: 't2', lastSeq: 3 });
  });

  it('that is told anew is the same one, with what was made on it', () => {
    const seat = new Seat();
    seat.enter('me', 't1');
    expect(seat.enter('me', 't2')).toBe(true);
    expect(seat.enter('somebody new', 't3')).toBe(false);
  });

  it('after a reload is come back to without knowing anything', () => {
    const seat = new Seat();
    seat.restore('t1');
    expect(seat.resume()).toEqual({ resumeToken: 't1', lastSeq: 0 });
    seat.note({ seq: 9 });
    expect(seat.enter('me', 't2')).toBe(false);
    expect(seat.resume()).toEqual({ resumeToken: 't2', lastSeq: 9 });
  });

  it('on which media shall start anew says so once', () => {
    const seat = new Seat();
    seat.note({ seq: 5 });
    seat.enter('me', 't1');
    seat.startAnew();
    expect(seat.resume()).toEqual({ resumeToken: 't1', lastSeq: 0 });
    expect(seat.enter('me', 't2')).toBe(false);
    expect(seat.resume()?.lastSeq).toBe(5);
  });
});
