//go:build tools

// Package build pins the Temporal CLI, which carries the dev server, by hash: `go install` refuses a module with a
// replace directive, a module that requires it does not.
package build

import _ "github.com/temporalio/cli/cmd/temporal"
