import { copyOut } from '../ring/ring-copy.js';
import { RingReader } from '../ring/ring-reader.js';
import type { ShiftReader } from '../shift/shift-reader.js';
import type { Late } from './fan.js';
import type { LiveContext } from './live-context.js';
import type { Audience, DisconnectReason } from './live-stats.js';
import { flvHeader, headerTags } from './preamble.js';
import { segmentEnd, segmentMark, segmentStart } from './segment-start.js';
import { gatherSound, type SoundRun } from './sound-run.js';
import { isSafe, startPlace } from './start-place.js';
import type { ShiftStart, Viewer } from './viewer.js';
import { Wave } from './wave.js';

/** Most bytes of a frame, but for a larger tag. A front end that keeps what a socket does not take keeps no more. */
const FRAME = 64 * 1024;
/** Most bytes of one batch for all. */
const BATCH = 1024 * 1024;
/** Most bytes that one viewer gets of what it is behind, in one batch. */
const BURST = 1024 * 1024;
/** Milliseconds up to which a key frame is new enough to begin with. */
const JOIN_AGE = 12_000;
/** Milliseconds from one look at the writer's life to the next. */
const LOOK_AT_WRITER = 1000;
/** Most tags whose latency is told of one batch. */
const OBSERVED = 32;
/** Viewers of a wave before there is another one: some 2 ms of processor time. */
const WAVE = 256;
/** Milliseconds of a batch for each wave at least. */
const WAVE_EVERY = 5;

/**
 * One live stream in this process: its ring, and the viewers, each of whom is a place in it. Those who are up to date
 * are sent to at once, out of one view of the ring; those who are behind one by one, until they have caught up or have
 * lost what was too much.
 */
export class WatchedStream {
  readonly #context: LiveContext;
  readonly #ring: RingReader;
  #file: string;
  readonly #waves: Wave[] = [];
  #writerSeenAt: number;
  /** Other edges, which are sent to at once what comes, and not by batches. */
  readonly #links = new Set<Viewer>();
  #over = false;
  #dropped = 0;
  /** Tags without pictures that several viewers get in this batch. */
  #sound: SoundRun | undefined;

  /** @throws EdgeError `bad_config` when the file is no ring */
  constructor(
    readonly name: string,
    readonly id: number,
    file: string,
    context: LiveContext,
    /** Links between the server to which it is published and this one: 0 for one that is published here. */
    public level = 0,
  ) {
    this.#context = context;
    this.#ring = new RingReader(file);
    this.#file = file;
    this.#writerSeenAt = performance.now();
    this.#ring.refresh();
    this.#openWave();
  }

  get ring(): RingReader {
    return this.#ring;
  }

  /** No more viewers are taken. */
  get over(): boolean {
    return this.#over;
  }

  get viewers(): number {
    return this.#waves.reduce((viewers, { size }) => viewers + size, 0);
  }

  /** Parts of the viewers that are sent to one after the other. */
  get waves(): readonly Wave[] {
    return this.#waves;
  }

  get audience(): Audience {
    const viewers = { http: 0, websocket: 0 };
    for (const { fans, behind } of this.#waves) {
      viewers.http += fans.http.size;
      viewers.websocket += fans.websocket.size;
      for (const { protocol } of behind) viewers[protocol]++;
    }
    const peers = [...this.#links].flatMap(({ link }) => link?.peer ?? []);
    return { viewers, dropped: this.#dropped, peers };
  }

  /** Takes a viewer, who is sent to from the next turn of the wave on that is returned, or with `welcome` at once. */
  add(viewer: Viewer): Wave {
    this.#context.stats.viewers[viewer.protocol]++;
    const wave = this.#waveWithRoom();
    wave.add(viewer);
    if (viewer.link !== undefined) this.#links.add(viewer);
    return wave;
  }

  /** The first wave that is not full; when all are, a new one, or the smallest when there are many. */
  #waveWithRoom(): Wave {
    const smallest = this.#waves.reduce((least, wave) => (wave.size < least.size ? wave : least));
    const most = Math.max(1, Math.floor(this.#context.limits.batch / WAVE_EVERY));
    if (smallest.size >= WAVE) return this.#waves.length < most ? this.#openWave() : smallest;
    return this.#waves.find(({ size }) => size < WAVE)!;
  }

  #openWave(): Wave {
    const wave = new Wave(this.#waves.length, this.#ring.head, this.#context.sendToAll);
    this.#waves.push(wave);
    return wave;
  }

  /** Sends to one viewer outside of the batches: the first bytes of one that has just come. */
  welcome(viewer: Viewer): void {
    if (viewer.over || this.#over || !this.#ring.refresh()) return;
    this.#pump(viewer, performance.now());
  }

  /** Bytes that a viewer has been sent. */
  sentTo(viewer: Viewer): number {
    return (
      viewer.sent + (viewer.index < 0 ? 0 : this.#waveOf(viewer).fans[viewer.protocol].sentToEach - viewer.fannedAt)
    );
  }

  /** A viewer has left. */
  remove(viewer: Viewer): void {
    if (viewer.over) return;
    viewer.over = true;
    this.#context.stats.viewers[viewer.protocol]--;
    this.#waveOf(viewer).remove(viewer);
    this.#links.delete(viewer);
    viewer.frame = undefined;
    viewer.shift?.close();
    viewer.shift = undefined;
  }

  /** Sends to other edges what has come; false when there are none. */
  flush(now: number): boolean {
    if (this.#links.size === 0 || this.#over || !this.#ring.refresh()) return false;
    for (const viewer of this.#links) {
      this.#pump(viewer, now);
      const { peer, level } = viewer.link!;
      const hasAll = viewer.begun && viewer.frame === undefined && viewer.next >= this.#ring.head;
      if (peer !== undefined && level !== this.level && hasAll) this.#part(viewer, 'ended');
    }
    return true;
  }

  /**
   * It is as far from its publisher as that from now on: other edges, which go by what it was, are sent what there is
   * and ask anew whom to have it from.
   */
  move(file: string, level = 0): void {
    this.#file = file;
    this.level = level;
  }

  /** Sends to a wave what has come since its last turn. */
  tick(now: number, wave: Wave): void {
    if (this.#over) return;
    const ring = this.#ring;
    this.#sound = undefined;
    if (!ring.refresh()) {
      this.close('overrun');
      return;
    }
    this.#sendToAll(wave, now);
    for (const viewer of wave.behind) this.#pump(viewer, now);
    if (this.#isEnded(now)) this.close('ended');
  }

  /** The stream is none any more: its viewers get what there is of it. */
  retire(): void {
    if (this.viewers === 0 || !this.#ring.refresh() || this.#ring.state !== 'ended') this.close('ended');
  }

  /** Ends all viewers' answers. */
  close(reason: DisconnectReason): void {
    if (this.#over) return;
    this.#over = true;
    for (const { upToDate, behind } of this.#waves) {
      for (const viewer of [...upToDate, ...behind]) this.#part(viewer, reason);
    }
    this.#ring.close();
  }

  #isEnded(now: number): boolean {
    const { state, stateAge, head } = this.#ring;
    const { grace, slow } = this.#context.limits;
    const over = state === 'ended' ? stateAge : state === 'waiting' ? stateAge - grace : 0;
    if (state === 'ended' || over > 0) {
      return !this.#waves.some(wave => wave.lacks(head, over - slow));
    }
    // The process that writes may die, and another one go on: its viewers wait as for a publisher.
    if (now - this.#writerSeenAt < LOOK_AT_WRITER) return false;
    if (this.#ring.hasWriter()) this.#writerSeenAt = now;
    return now - this.#writerSeenAt > grace + LOOK_AT_WRITER;
  }

  #sendToAll(wave: Wave, now: number): void {
    const ring = this.#ring;
    const { head } = ring;
    const { fans } = wave;
    this.#observe(wave, head);
    while (wave.upTo < head) {
      const first = wave.upTo;
      const batch = ring.run(first, head, BATCH);
      const end = ring.runEnd;
      const bytes = batch && (wave.fanned === 0 ? batch : copyOut(ring, batch, first));
      if (batch === undefined || bytes === undefined) {
        // The process was stopped for longer than the ring lasts: each viewer goes on where it can.
        wave.upTo = head;
        for (const viewer of wave.upToDate) this.#fallBehind(viewer, first, now);
        return;
      }
      const before = wave.version;
      if (ring.look(end - 1)) wave.version = ring.tagVersion;
      wave.upTo = end;
      this.#context.stats.sentBytes += wave.fanned * batch.length;
      const late = [...fans.http.send(bytes), ...fans.websocket.send(bytes)];
      for (const each of late) {
        const { viewer, taken } = each;
        wave.leaveFan(viewer);
        // What was counted as sent to each was not sent to this one.
        viewer.sent -= batch.length;
        this.#context.stats.sentBytes -= batch.length;
        viewer.version = before;
        wave.behind.add(viewer);
        if (taken < 0) viewer.socket.cut();
        else this.#breakOff(each, wave, batch, first, now);
      }
    }
  }

  /** A viewer has taken a part of a batch, or nothing of it. */
  #breakOff({ viewer, taken }: Late, wave: Wave, batch: Uint8Array, first: number, now: number): void {
    viewer.hold(batch, first, wave.upTo);
    viewer.version = wave.version;
    viewer.taken = taken;
    viewer.stuckSince = now;
    if (taken > 0) viewer.socket.brokenOff();
  }

  /** Tells how long the tags of this batch have waited. */
  #observe(wave: Wave, head: number): void {
    const { observeLatency } = this.#context;
    if (observeLatency === undefined || wave.fanned === 0) return;
    for (let at = Math.max(wave.upTo, head - OBSERVED); at < head; at++) {
      if (this.#ring.look(at)) observeLatency(this.#ring.age / 1000);
    }
  }

  /** Sends to a viewer that is behind as much as its socket takes, and it may have in one batch. */
  #pump(viewer: Viewer, now: number): void {
    let left = BURST;
    for (;;) {
      if (viewer.over) return;
      if (viewer.frame !== undefined) {
        const { length } = viewer.frame;
        if (!this.#sendFrame(viewer, viewer.frame, now)) return;
        if (viewer.frame !== undefined) continue;
        left -= length;
        if (left <= 0) return;
      }
      if (!viewer.socket.isFree()) {
        this.#wait(viewer, now);
        return;
      }
      if (!this.#nextFrame(viewer, now)) return;
    }
  }

  /** Sends of the frame at hand; false when the socket takes no more, or the viewer is gone. */
  #sendFrame(viewer: Viewer, { length }: Uint8Array, now: number): boolean {
    switch (viewer.sendFrame(this.#ring, now)) {
      case 'lost':
        return this.#loseFrame(viewer, now);
      case 'gone':
        viewer.socket.cut();
        return false;
      case 'full':
        this.#wait(viewer, now);
        return false;
      case 'whole':
        this.#context.stats.sentBytes += length;
        return true;
      case 'part':
        return true;
    }
  }

  /** The frame at hand is gone: a viewer that had a part of it can't go on. */
  #loseFrame(viewer: Viewer, now: number): boolean {
    if (viewer.taken > 0) {
      this.#part(viewer, 'overrun');
      return false;
    }
    viewer.frame = undefined;
    viewer.next = viewer.frameFirst;
    viewer.version = 0;
    return this.#drop(viewer, now);
  }

  /** A viewer's socket takes nothing: it is given up after a while. */
  #wait(viewer: Viewer, now: number): void {
    if (viewer.stuckSince === 0) viewer.stuckSince = now;
    else if (now - viewer.stuckSince > this.#context.limits.disconnect) this.#part(viewer, 'stalled');
  }

  /** Finds what comes next for a viewer that owes nothing; false when there is nothing, or it is up to date. */
  #nextFrame(viewer: Viewer, now: number): boolean {
    const ring = this.#ring;
    if (viewer.shift !== undefined) return this.#nextShifted(viewer, viewer.shift, now);
    if (!viewer.begun) return this.#begin(viewer, now);
    viewer.stuckSince = 0;
    if (viewer.next >= ring.head) {
      viewer.headStart = 0;
      if (viewer.mode === 'all') this.#waveOf(viewer).catchUp(viewer);
      return false;
    }
    const isThere = viewer.next >= ring.tail && ring.look(viewer.next);
    if (!isThere || ring.age > this.#context.limits.slow + viewer.headStart) return this.#drop(viewer, now);
    const mark = viewer.link ? segmentMark(ring, viewer) : undefined;
    if (mark !== undefined) return viewer.hold(mark, -1, viewer.next);
    if (viewer.mode === 'sound') return this.#nextSound(viewer);
    const frame = ring.run(viewer.next, viewer.link ? segmentEnd(ring, viewer.next) : ring.head, FRAME);
    if (frame === undefined) return this.#drop(viewer, now);
    const end = ring.runEnd;
    viewer.hold(frame, viewer.next, end);
    if (ring.look(end - 1)) viewer.version = ring.tagVersion;
    return true;
  }

  /** Sends what comes before the first tag, as soon as that is known. */
  #begin(viewer: Viewer, now: number): boolean {
    const ring = this.#ring;
    if (ring.version === 0) return false;
    let first = -1;
    if (typeof viewer.start === 'object') {
      first = this.#goBack(viewer, viewer.start);
      if (viewer.shift !== undefined) return this.#nextShifted(viewer, viewer.shift, now);
    } else if (viewer.start === 'newest') first = this.#newestJoin();
    else if (viewer.start === 'segment') first = segmentStart(ring);
    const canJoin = first >= 0 && ring.look(first);
    if (!canJoin) first = ring.head;
    const isKnown = canJoin || ring.look(ring.head - 1);
    const version = canJoin ? ring.tagVersion : ring.version;
    const timestamp = isKnown ? ring.timestamp : 0;
    if (canJoin) viewer.headStart = ring.age;
    const headers = ring.headers(version);
    if (headers === undefined) return false;
    viewer.mode = canJoin || !headers.hasVideo ? 'all' : 'sound';
    viewer.next = first;
    viewer.version = version;
    viewer.begun = true;
    return this.#open(viewer, Buffer.concat([flvHeader(headers), headerTags(headers, timestamp)]));
  }

  /** The newest tag to begin at; -1 when it is too old. */
  #newestJoin(): number {
    const ring = this.#ring;
    return ring.join >= 0 && ring.look(ring.join) && ring.age <= JOIN_AGE ? ring.join : -1;
  }

  #open(viewer: Viewer, preamble: Uint8Array): boolean {
    if (viewer.socket.begin(preamble)) return true;
    viewer.socket.cut();
    return false;
  }

  /** Finds where a viewer begins that wants to go back: a tag of the ring, or its way through the recording. */
  #goBack(viewer: Viewer, start: ShiftStart): number {
    const ring = this.#ring;
    const place = startPlace(ring, this.#file, start, () => {
      if (!viewer.over && !this.#over && ring.refresh()) this.#pump(viewer, performance.now());
    });
    viewer.shift = place.shift;
    viewer.headStart = place.behind ?? 0;
    return place.sequence ?? this.#newestJoin();
  }

  /** Finds what comes next for a viewer that is in the recording, or has come to where the ring goes on. */
  #nextShifted(viewer: Viewer, shift: ShiftReader, now: number): boolean {
    const ring = this.#ring;
    // Where the recording has come to its end, or to where the disk is, longer ago than a viewer may be behind.
    const isOver = shift.hasFailed || (shift.emptySince > 0 && now - shift.emptySince > this.#context.limits.slow);
    if (!viewer.begun) {
      if (isOver) {
        viewer.start = 'newest';
        this.#leaveRecording(viewer, 0);
        return this.#begin(viewer, now);
      }
      if (shift.preamble === undefined) {
        shift.request();
        return false;
      }
      viewer.begun = true;
      if (!this.#open(viewer, shift.preamble)) return false;
    }
    viewer.stuckSince = 0;
    const { point } = shift;
    if (point !== undefined && point.sequence >= 0 && isSafe(ring, point.sequence)) {
      viewer.headStart = ring.age;
      viewer.version = ring.tagVersion;
      this.#leaveRecording(viewer, point.sequence);
      return this.#nextFrame(viewer, now);
    }
    if (isOver) {
      viewer.version = 0;
      this.#leaveRecording(viewer, shift.lastSequence);
      return this.#drop(viewer, now);
    }
    const frame = shift.take();
    if (frame === undefined) return false;
    return viewer.hold(frame, -1, 0);
  }

  #leaveRecording(viewer: Viewer, next: number): void {
    viewer.shift?.close();
    viewer.shift = undefined;
    viewer.next = next;
  }

  /** Takes what a viewer is behind from it: it goes on with the newest key frame, or with sound up to the next. */
  #drop(viewer: Viewer, now: number): boolean {
    const ring = this.#ring;
    const { slow } = this.#context.limits;
    const from = viewer.next;
    const canJoin = ring.join > from && ring.look(ring.join) && ring.age <= slow;
    const to = canJoin ? ring.join : ring.head;
    const version = canJoin ? ring.tagVersion : ring.look(ring.head - 1) ? ring.tagVersion : ring.version;
    const { timestamp } = ring;
    this.#dropped += to - from;
    this.#context.stats.droppedFrames += to - from;
    viewer.next = to;
    viewer.headStart = canJoin ? ring.age : 0;
    const headers = ring.headers(version);
    viewer.mode = canJoin || headers?.hasVideo === false ? 'all' : 'sound';
    if (version !== viewer.version && headers !== undefined) {
      viewer.hold(headerTags(headers, timestamp), -1, to);
      viewer.version = version;
      return true;
    }
    return this.#nextFrame(viewer, now);
  }

  /** Sound, and headers, up to the next key frame, from which on all is sent. */
  #nextSound(viewer: Viewer): boolean {
    const ring = this.#ring;
    if (this.#sound?.from !== viewer.next) this.#sound = gatherSound(ring, viewer.next);
    const { bytes, next, all } = this.#sound;
    if (all) {
      viewer.mode = 'all';
      if (ring.look(next)) viewer.headStart = ring.age;
    }
    viewer.next = next;
    if (ring.look(next - 1)) viewer.version = ring.tagVersion;
    if (bytes.length > 0) viewer.hold(bytes, -1, next);
    return bytes.length > 0 || all;
  }

  #fallBehind(viewer: Viewer, next: number, now: number): void {
    const wave = this.#waveOf(viewer);
    wave.leaveFan(viewer);
    viewer.next = next;
    wave.behind.add(viewer);
    this.#pump(viewer, now);
  }

  #waveOf(viewer: Viewer): Wave {
    return this.#waves[viewer.wave]!;
  }

  #part(viewer: Viewer, reason: DisconnectReason): void {
    if (viewer.over) return;
    const sent = this.sentTo(viewer);
    const isWhole = viewer.frame === undefined && viewer.socket.canEnd();
    this.#context.stats.disconnects[reason]++;
    if (isWhole && (reason === 'ended' || reason === 'drain')) {
      this.remove(viewer);
      viewer.socket.end(sent, reason === 'drain');
    } else viewer.socket.cut();
  }
}
