/* Runs in the page: tells when beeps are heard. */

/** Seconds of silence before what counts as a beep, and how loud it is. */
const [SILENCE, LOUD] = [0.3, 0.05];

/** Posts the context's time of the first sample of each beep. */
class BeepMeter extends AudioWorkletProcessor {
  #quietSince = 0;

  process([[samples] = []]) {
    for (let i = 0; i < (samples?.length ?? 0); i++) {
      if (Math.abs(samples[i]) < LOUD) continue;
      const at = (currentFrame + i) / sampleRate;
      if (at - this.#quietSince > SILENCE) this.port.postMessage(at);
      this.#quietSince = at;
    }
    return true;
  }
}

registerProcessor('beep-meter', BeepMeter);
