#!/bin/sh
# Installs the pilotlight binary from the files of a release: `sh install.sh --help`.
#
# It downloads SHA256SUMS and the archive for this machine, compares the archive's checksum, and copies one file. It
# needs no root and never becomes root.
set -eu

# A release writes its own address here.
default_releases_url=''

usage() {
    cat <<'END'
Installs the pilotlight binary from the files of a release.

    sh install.sh [--version X] [--to FOLDER] [--from ADDRESS]

  --version X     the version to install, such as 0.1.0; the latest by default
  --to FOLDER     where to put the binary; ~/.local/bin by default
  --from ADDRESS  where the releases are; PILOTLIGHT_RELEASES_URL means the same. The files are downloaded from
                  ADDRESS/latest/download or ADDRESS/download/vX
END
}

fail() {
    printf 'install.sh: %s\n' "$1" >&2
    exit 1
}

has() {
    command -v "$1" >/dev/null 2>&1
}

# The name of this machine's target in the names of archives.
target() {
    system=$(uname -s)
    machine=$(uname -m)
    case $system in
    Linux) ;;
    *) fail "there is no binary for $system; build it from the sources with cargo" ;;
    esac
    case $machine in
    x86_64 | amd64) echo x86_64-unknown-linux-musl ;;
    aarch64 | arm64) echo aarch64-unknown-linux-musl ;;
    *) fail "there is no binary for the processor $machine; build it from the sources with cargo" ;;
    esac
}

# download ADDRESS FILE
download() {
    if has curl; then
        curl --fail --silent --show-error --location --retry 2 --output "$2" "$1" 2>"$work/reason" && return
    elif has wget; then
        wget -nv -O "$2" "$1" 2>"$work/reason" && return
    else
        fail 'curl or wget is needed, and neither is installed'
    fi
    reason=$(tail -n 1 "$work/reason")
    fail "failed to download $1${reason:+ ($reason)}"
}

# The SHA-256 of a file.
checksum() {
    if has sha256sum; then
        sha256sum "$1" | cut -d ' ' -f 1
    elif has shasum; then
        shasum -a 256 "$1" | cut -d ' ' -f 1
    elif has openssl; then
        openssl dgst -sha256 -r "$1" | cut -d ' ' -f 1
    else
        fail 'sha256sum, shasum or openssl is needed, and none of them is installed'
    fi
}

# verify FILE NAME: compares the file with the line of that name in SHA256SUMS.
verify() {
    found=$(checksum "$1")
    expected=$(sed -n "s/^\([0-9a-f]\{64\}\)  $2\$/\1/p" "$work/SHA256SUMS")
    if [ "$found" != "$expected" ]; then
        fail "the checksum of $2 is $found, and SHA256SUMS says $expected; nothing is installed"
    fi
}

version=''
folder=''
releases_url=${PILOTLIGHT_RELEASES_URL:-$default_releases_url}
while [ $# -gt 0 ]; do
    case $1 in
    --help | -h)
        usage
        exit 0
        ;;
    --version | --to | --from)
        [ $# -ge 2 ] || fail "$1 needs a value"
        case $1 in
        --version) version=${2#v} ;;
        --to) folder=$2 ;;
        --from) releases_url=$2 ;;
        esac
        shift 2
        ;;
    *) fail "$1 is not an option; --help lists them" ;;
    esac
done
[ -n "$releases_url" ] || fail 'where are the releases? Give --from ADDRESS or set PILOTLIGHT_RELEASES_URL'
case $version in *[!0-9A-Za-z.+-]*) fail "$version is not a version" ;; esac
if [ -z "$folder" ]; then
    [ -n "${HOME:-}" ] || fail 'HOME is not set; give --to FOLDER'
    folder=$HOME/.local/bin
fi
has tar || fail 'tar is needed, and it is not installed'

target=$(target)
if [ -n "$version" ]; then
    files=${releases_url%/}/download/v$version
else
    files=${releases_url%/}/latest/download
fi
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
trap 'exit 1' HUP INT TERM

download "$files/SHA256SUMS" "$work/SHA256SUMS"
archive=$(sed -n "s/^[0-9a-f]\{64\}  \(pilotlight-[0-9A-Za-z.+-]*-$target\.tar\.gz\)\$/\1/p" "$work/SHA256SUMS")
[ -n "$archive" ] || fail "the release has no archive for $target"
echo "downloading $files/$archive"
download "$files/$archive" "$work/$archive"
verify "$work/$archive" "$archive"

tar -xzf "$work/$archive" -C "$work" || fail "failed to unpack $archive"
mkdir -p "$folder" || fail "failed to create $folder"
# Copied beside the old file and moved over it: a running pilotlight keeps its own file.
new=$folder/.pilotlight.new
cp "$work/${archive%.tar.gz}/pilotlight" "$new" || fail "failed to write to $folder; choose another folder with --to"
chmod 755 "$new"
if ! installed=$("$new" --version); then
    rm -f "$new"
    fail 'the binary does not start on this machine'
fi
mv -f "$new" "$folder/pilotlight" || fail "failed to write $folder/pilotlight"
echo "installed $installed as $folder/pilotlight"
case :${PATH:-}: in
*:"$folder":*) ;;
*) echo "$folder is not in your PATH: add it, or call the binary by its path" ;;
esac
