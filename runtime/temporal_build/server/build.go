//go:build tools

// Package build pins the full Temporal server, which can skip time in tests, by hash.
package build

import _ "go.temporal.io/server/cmd/server"
