//go:build !unix

package journal

import "os"

func open(string) (*os.File, error) { return nil, ErrUnsupported }
func lock(*os.File, bool) error     { return ErrUnsupported }
func unlock(*os.File)               {}
