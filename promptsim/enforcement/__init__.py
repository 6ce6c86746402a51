"""What leaves the program for enforcement: exports. It proposes; it never acts on an account."""
