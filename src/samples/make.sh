#!/bin/sh
# Makes the bundled sample clips: 36 s of a test picture with a burnt-in counter of seconds, and a beep every second.
# Bit-exact: the same ffmpeg makes the same bytes. Usage: src/samples/make.sh [TARGET_DIRECTORY]
set -eu
here=$(cd "$(dirname "$0")" && pwd)
target=${1:-$here}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

exact='-fflags +bitexact -flags:v +bitexact -flags:a +bitexact -map_metadata -1'
quiet='-nostdin -hide_banner -loglevel error -y'

# encode KEY_FRAME_DISTANCE FILE: H.264 with B-frames and AAC; distances in frames of 1/25 s.
encode() {
  # shellcheck disable=SC2086
  ffmpeg $quiet \
    -f lavfi -i 'testsrc=size=320x180:rate=25:decimals=2:duration=36' \
    -f lavfi -i 'sine=frequency=330:beep_factor=4:sample_rate=44100:duration=36' \
    -c:v libx264 -profile:v main -preset veryslow -threads 1 -crf 34 -pix_fmt yuv420p \
    -bf 3 -g "$1" -keyint_min "$1" -sc_threshold 0 \
    -c:a aac -b:a 32k -ac 1 $exact -movflags +faststart "$2"
}

# remux SOURCE FILE OPTIONS…: the same packets in another container.
remux() {
  from=$1
  to=$2
  shift 2
  # shellcheck disable=SC2086
  ffmpeg $quiet -i "$from" -map 0 -c copy $exact "$@" "$to"
}

encode 50 "$work/bframes-faststart.mp4"
encode 300 "$work/long-gop.mp4"
remux "$work/bframes-faststart.mp4" "$work/bframes-moov-last.mp4"
remux "$work/bframes-faststart.mp4" "$work/fragmented.mp4" -movflags +frag_keyframe+default_base_moof+global_sidx+empty_moov
remux "$work/bframes-faststart.mp4" "$work/plain.flv"
remux "$work/bframes-faststart.mp4" "$work/keyframes.flv" -flvflags add_keyframe_index

mkdir -p "$target"
mv "$work"/*.mp4 "$work"/*.flv "$target"
