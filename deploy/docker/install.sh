# install.sh WORKSPACE: what one process needs of others, to the letter of the lock file.
set -eu
npm ci --omit=dev --ignore-scripts --no-audit --no-fund -w "$1"
# Types, maps and manuals are for editors, and half of it all.
find node_modules -type f \( -name '*.map' -o -name '*.d.*ts' -o -name '*.d.ts' -o -name '*.md' \) -delete
