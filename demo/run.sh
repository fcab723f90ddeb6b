#!/bin/sh
# `make demo`: what a new user would type, on a real repository. The first argument is the folder of the commands.
set -eu
bin=$1
demo=.demo
repo=$demo/starlette-1.10.0
file=$repo/starlette/convertors.py

bold() { printf '\n\033[1m%s\033[0m\n' "$*"; }
pointsman() {
    printf '\033[36m$ pointsman'
    for word in "$@"; do
        case $word in *' '*) printf ' "%s"' "$word" ;; *) printf ' %s' "$word" ;; esac
    done
    printf '\033[0m\n'
    "$bin/pointsman" "$@"
}
trap '"$bin/pointsman" host stop --quiet >/dev/null 2>&1 || true' EXIT

bold "1. Models: pulled once, every file checked against its sha256"
pointsman models pull

bold "2. A real repository: the source package of starlette, pinned by its sha256"
if ! git --git-dir="$repo/.git" rev-parse --verify --quiet HEAD >/dev/null 2>&1; then
    rm -rf "$demo"
    mkdir -p "$demo"
    "$bin/python" -m pip download -qq --disable-pip-version-check --no-deps --no-binary :all: \
        --no-build-isolation --require-hashes --dest "$demo" -r demo/requirements.txt
    tar -xzf "$repo.tar.gz" -C "$demo"
    git -C "$repo" init --quiet
    git -C "$repo" add --all
    # The user's own configuration may ask for a signature or run hooks.
    git -C "$repo" -c user.name=demo -c user.email=demo@example.invalid -c commit.gpgsign=false \
        -c core.hooksPath=/dev/null commit --quiet --message "starlette 1.10.0"
fi
git -C "$repo" checkout --quiet .
pointsman index "$repo"

bold "3. An inline completion: a new class is being typed at the end of a file; the cursor stands after 'return '"
printf '\n\nclass BooleanConvertor(Convertor[bool]):\n    regex = "true|false"\n\n' >>"$file"
printf '    def convert(self, value: str) -> bool:\n        return ' >>"$file"
tail -n 5 "$file" && echo
pointsman complete "$file:96:16" --explain
git -C "$repo" checkout --quiet .

bold "4. A question about the code, answered with its sources"
pointsman ask "What does GZipMiddleware handle?" --path "$repo"

bold "5. A refactor: the route it took and why, and the change as a diff"
pointsman refactor "$file:88-89" "add a docstring"

bold "6. What left this machine, and who decides that"
pointsman audit list
pointsman policy explain "$repo" --lines 60

bold "7. In your editor: for Neovim 0.12 paste this into init.lua (README has the others)"
cat <<EOF
vim.lsp.config('pointsman', { cmd = { '$(cd "$bin" && pwd)/pointsman', 'serve' }, root_markers = { '.git' } })
vim.lsp.enable('pointsman')
vim.lsp.inline_completion.enable()
vim.keymap.set('i', '<Tab>', function()
  if not vim.lsp.inline_completion.get() then return '<Tab>' end
end, { expr = true })
EOF
