from palio.web.controller import main

main()
