#!/usr/bin/env bash
# The inputs of the action, in variables → the flags of one build; its results → the outputs of the step.
set -euo pipefail

flags=()

# once FLAG TEXT: the flag, unless there is no text.
once() {
  if [ -n "$2" ]; then flags+=("$1=$2"); fi
}

# each FLAG TEXT [BEFORE]: a flag for every line that is not empty, without the blanks around it.
each() {
  local line
  while IFS= read -r line || [ -n "$line" ]; do
    line="${line#"${line%%[![:space:]]*}"}"
    line="${line%"${line##*[![:space:]]}"}"
    if [ -n "$line" ]; then flags+=("$1=${3:-}$line"); fi
  done <<< "$2"
}

# yes FLAG TEXT: the flag, when the text is true.
yes() {
  if [ "$2" = true ]; then flags+=("$1"); fi
}

# Results in files of this step alone; secrets that came as values, too: an argument could be read by other users.
folder=$(mktemp -d "${RUNNER_TEMP:-/tmp}/wbuild-XXXXXXXX")
trap 'rm -rf "$folder"' EXIT

once --file "$INPUT_FILE"
once --target "$INPUT_TARGET"
each --platform "$INPUT_PLATFORMS"
each --tag "${INPUT_TAGS//,/$'\n'}"
yes --push "$INPUT_PUSH"
yes --load "$INPUT_LOAD"
yes --pull "$INPUT_PULL"
yes --no-cache "$INPUT_NO_CACHE"
each --output "$INPUT_OUTPUTS"
each --label "$INPUT_LABELS"
each --annotation "$INPUT_ANNOTATIONS"
each --build-arg "$INPUT_BUILD_ARGS"
each --build-context "$INPUT_BUILD_CONTEXTS"
each --cache-from "$INPUT_CACHE_FROM"
each --cache-to "$INPUT_CACHE_TO"
each --ssh "$INPUT_SSH"
once --network "$INPUT_NETWORK"
once --provenance "$INPUT_PROVENANCE"
once --sbom "$INPUT_SBOM"

number=0
while IFS= read -r line || [ -n "$line" ]; do
  if [ -z "$line" ]; then continue; fi
  case "$line" in
    *=*) ;;
    *) echo "::error::secrets: a line has no =" && exit 2 ;;
  esac
  number=$((number + 1))
  (umask 077 && printf '%s' "${line#*=}" > "$folder/secret-$number")
  flags+=("--secret=id=${line%%=*},src=$folder/secret-$number")
done <<< "$INPUT_SECRETS"
while IFS='=' read -r id variable || [ -n "$id" ]; do
  if [ -n "$id" ]; then flags+=("--secret=id=$id,env=$variable"); fi
done <<< "$INPUT_SECRET_ENVS"
while IFS='=' read -r id path || [ -n "$id" ]; do
  if [ -n "$id" ]; then flags+=("--secret=id=$id,src=$path"); fi
done <<< "$INPUT_SECRET_FILES"

wbuild build --progress=plain "${flags[@]}" \
  --iidfile="$folder/imageid" --metadata-file="$folder/metadata.json" -- "$INPUT_CONTEXT"

# A word that nobody can know ahead ends the text: what a build says cannot set another output.
word=$(od -An -N16 -tx1 /dev/urandom | tr -d ' \n')
{
  echo "imageid=$(cat "$folder/imageid")"
  echo "digest=$(node -p 'require(process.argv[1])["containerimage.digest"]' "$folder/metadata.json")"
  echo "metadata<<$word"
  cat "$folder/metadata.json"
  echo "$word"
} >> "$GITHUB_OUTPUT"
