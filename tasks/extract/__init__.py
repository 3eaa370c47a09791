"""Who is assigned to Replicon: assignments become the Assignments frame, with a proof of completeness."""
