/** What somebody in a room does besides sending pictures and sound. What is refused is thrown, with a sentence for people. */

import type { RoomChannel } from '../protocol/channel';
import type { Action, Phase, PolicyChange, Status, UpdateRoom } from '../protocol/generated/messages';

export type { PolicyChange };

export class Deeds {
  readonly #channel: RoomChannel;

  constructor(channel: RoomChannel) {
    this.#channel = channel;
  }

  async say(content: string, type: 'text' | 'emoji' = 'text'): Promise<void> {
    await this.#channel.request('send-message', { content, type });
  }

  async clearChat(): Promise<void> {
    await this.#channel.request('clear-chat', undefined);
  }

  async setStatus(status: Status): Promise<void> {
    await this.#channel.request('set-status', { status });
  }

  /** An empty text: no goal any more. */
  async setGoal(text: string): Promise<void> {
    await this.#channel.request('set-goal', { text });
  }

  async completeGoal(done: boolean, recap?: string): Promise<void> {
    await this.#channel.request('complete-goal', recap === undefined ? { done } : { done, recap });
  }

  async raiseHand(raised: boolean): Promise<void> {
    await this.#channel.request('raise-hand', { raised });
  }

  async react(emoji: string): Promise<void> {
    await this.#channel.request('react', { emoji });
  }

  /** With phases of one's own, a preset, or those that the clock has. */
  async startClock(how: { preset: string } | { phases: Phase[] } | undefined): Promise<void> {
    await this.#channel.request('timer-start', how ?? {});
  }

  async controlClock(what: 'pause' | 'resume' | 'skip' | 'reset'): Promise<void> {
    await this.#channel.request(`timer-${what}`, undefined);
  }

  async moderate(
    action: Action,
    participantId: string,
    more: { reason?: string; durationMs?: number; withAddress?: boolean } = {},
  ): Promise<void> {
    await this.#channel.request('moderate', { action, participantId, ...more });
  }

  async report(participantId: string, reason: string): Promise<void> {
    await this.#channel.request('report', { participantId, reason });
  }

  async updateRoom(change: UpdateRoom): Promise<void> {
    await this.#channel.request('update-room', change);
  }
}
