import { type ChildProcess, spawn } from 'node:child_process';

/** What a program that publishes a test picture with sound is told. */
export interface TestPicture {
  readonly url: string;
  /** Seconds. */
  readonly duration: number;
  /** Tracks; both when left out. */
  readonly only?: 'video' | 'audio';
}

/** Arguments of ffmpeg that publish in real time, a key frame each second. */
export function ffmpegPublishing({ url, duration, only }: TestPicture): string[] {
  const video = ['-f', 'lavfi', '-i', 'testsrc2=size=160x120:rate=25'];
  const audio = ['-f', 'lavfi', '-i', 'sine=sample_rate=44100'];
  const codecs = [
    ...(only === 'audio'
      ? []
      : ['-c:v', 'libx264', '-preset', 'ultrafast', '-g', '25', '-bf', '2', '-pix_fmt', 'yuv420p']),
    ...(only === 'video' ? [] : ['-c:a', 'aac', '-b:a', '64k']),
  ];
  const inputs = [...(only === 'audio' ? [] : ['-re', ...video]), ...(only === 'video' ? [] : ['-re', ...audio])];
  return ['-nostdin', '-v', 'error', ...inputs, ...codecs, '-t', String(duration), '-f', 'flv', url];
}

/** Arguments of gst-launch-1.0 that publish. */
export function gstreamerPublishing({ url, duration }: TestPicture): string[] {
  const frames = Math.round(duration * 25);
  const buffers = Math.round((duration * 44_100) / 1024);
  return [
    ...`-q flvmux name=mux streamable=true ! rtmp2sink location=${url}`.split(' '),
    ...`videotestsrc is-live=true num-buffers=${frames} ! video/x-raw,width=160,height=120,framerate=25/1`.split(' '),
    ...'! openh264enc gop-size=25 ! h264parse ! mux.'.split(' '),
    ...`audiotestsrc is-live=true num-buffers=${buffers} ! audio/x-raw,rate=44100,channels=2 ! voaacenc ! mux.`.split(
      ' ',
    ),
  ];
}

/** A program that runs, and what it has complained of. */
export class Program {
  readonly child: ChildProcess;
  /** Resolves with its exit code. */
  readonly exited: Promise<number | null>;
  errors = '';

  constructor(command: string, args: readonly string[]) {
    this.child = spawn(command, args, { stdio: ['ignore', 'ignore', 'pipe'] });
    this.child.stderr!.setEncoding('utf8').on('data', text => {
      this.errors += text;
    });
    this.exited = new Promise(resolve => {
      this.child.once('error', () => resolve(null));
      this.child.once('close', code => resolve(code));
    });
  }
}
